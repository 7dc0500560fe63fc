"""SIGKILL at random moments, again and again: is there always something to go on from, and is the end the same?

    python tests/reliability/kill.py [--kills 50] [--seed 0]

Trains in a process of its own, kills it (while it starts, trains, measures, draws or saves), looks at what is left,
resumes, and so on. Then trains to the end, and once more without any kill, and compares. Prints the counts; ends with 1
if a state could not be read, more than one interval between checkpoints was lost, or the two runs differ.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from allmodes.models import checkpoints
from allmodes.runs.journal import read
from allmodes.runs.run_folder import RunFolder
from allmodes.testing.interrupted import equal_runs
from tiny import SPEC

INTERVAL = 50
ENDLESS = 10**7


def spec() -> dict[str, Any]:
    training = {
        **SPEC["training"], "iterations": ENDLESS, "log_every": 1, "threads": 1,
        "checkpoints": {"every": INTERVAL, "best": "modes"}, "ema": {"decay": 0.99},
    }  # fmt: skip
    return {**SPEC, "training": training, "evaluation": {"every": 120, "samples": 64, "metrics": ["modes"]}}


def allmodes(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "allmodes", *arguments, "--no-tracking", "--quiet"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_folder(folder: Path) -> Path | None:
    return max(folder.glob("runs/*/seed-3"), default=None)


def reached(run: Path | None) -> int:
    lines = read(run / "metrics.jsonl") if run else []
    return int(lines[-1]["iteration"]) if lines else 0


def kill_once(process: subprocess.Popen[str], folder: Path, chance: random.Random) -> None:
    """Now and then while it starts, else up to a second after its first new iteration."""
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 3))
    else:
        before = reached(run_folder(folder))
        while process.poll() is None and reached(run_folder(folder)) <= before:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 1))
    process.send_signal(signal.SIGKILL)


def look(run: Path | None) -> tuple[int, int]:
    """The newest checkpoint's iteration (0: none yet) and how many checkpoints cannot be read."""
    found = RunFolder(run).checkpoints if run else []
    unreadable = 0
    for folder in found:
        try:
            checkpoints.read(folder)
            for file in folder.glob("*.safetensors"):
                load_file(file)
        except Exception as error:
            print(f"UNREADABLE {folder}: {error}")
            unreadable += 1
    return (int(found[0].name) if found else 0), unreadable


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        return torture(Path(place), options.kills, chance)


def torture(place: Path, kills: int, chance: random.Random) -> int:
    (place / "tiny.json").write_text(json.dumps(spec()))
    unreadable, lost, in_training = 0, [], 0
    for _ in range(kills):
        run = run_folder(place)
        begun = run is not None and (run / "run.json").is_file()
        arguments = ("resume", str(run)) if begun else ("run", "tiny.json")
        process = allmodes(place, *arguments)
        kill_once(process, place, chance)
        _, said = process.communicate()
        if process.returncode != -signal.SIGKILL:
            print(f"ended by itself with {process.returncode}:\n{said}")
            return 1
        run = run_folder(place)
        at, broken = look(run)
        unreadable += broken
        in_training += reached(run) > 0
        lost.append(reached(run) - at)
    run = run_folder(place)
    assert run is not None
    end = str(reached(run) + 100)
    finished = allmodes(place, "resume", str(run), "--set", f"training.iterations={end}")
    _, said = finished.communicate()
    print(said, end="")
    unbroken = place / "unbroken"
    unbroken.mkdir()
    allmodes(unbroken, "run", str(place / "tiny.json"), "--set", f"training.iterations={end}").communicate()
    other = run_folder(unbroken)
    assert other is not None
    same = equal_runs(run, other)
    print(f"kills                      {kills}, of which after training had begun {in_training}")
    print(f"unreadable checkpoints     {unreadable}")
    print(f"iterations lost, at most   {max(lost)} (checkpoints every {INTERVAL}); mean {sum(lost) / len(lost):.1f}")
    print(f"iterations in the end      {end}")
    print(f"equal to an unbroken run   {same}")
    return int(not (unreadable == 0 and max(lost) <= INTERVAL and same))


if __name__ == "__main__":
    sys.exit(main())
