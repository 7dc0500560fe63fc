"""What commands take that train nothing: the time of each against that of importing torch.

    python tests/benchmarks/start.py [--rounds 20]

Each round starts one process after the other, `python -c "import torch"` first, so that a change of the machine's speed
hits all. Prints the CPU seconds, in user and system mode, of the fastest process of each command, and its ratio to that
of torch.
"""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence

TORCH = "import torch"
COMMANDS = (
    *("--help", "--version", "validate veegan/grid", "validate study/ring-gan", "validate gan/ring --set a=1"),
    *("plugins", "recipes", "show mlp", "show veegan/grid", "schema", "wrong"),
)


def seconds(arguments: Sequence[str]) -> float:
    """CPU seconds of a Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(commands: Sequence[str], rounds: int) -> Mapping[str, float]:
    """CPU seconds of the fastest of some processes, by command, that of torch first."""
    lines = {TORCH: ["-c", TORCH]} | {command: ["-m", "allmodes", *command.split()] for command in commands}
    times = [{name: seconds(line) for name, line in lines.items()} for _ in range(rounds)]
    return {name: min(time[name] for time in times) for name in lines}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as for a user, whose second command finds modules compiled
    measured = measure(COMMANDS, parser.parse_args().rounds)
    for name, time in measured.items():
        print(f"{name:30} {time:6.3f} s  {time / measured[TORCH]:.3f}")


if __name__ == "__main__":
    main()
