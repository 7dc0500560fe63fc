"""The benchmarks run: what they measure is read by people, so that nothing else would notice."""

import importlib.util
from pathlib import Path

FILE = Path(__file__).parent / "benchmarks" / "step_overhead.py"


def test_the_benchmark_of_a_step_measures_both_loops(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("step_overhead", FILE)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    ours, bare = benchmark.measure(k=4, h=8, batch=8, iterations=2, chunks=1, folder=tmp_path)
    assert ours > 0
    assert bare > 0
