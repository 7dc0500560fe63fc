"""Training a study by jobs of Slurm: an array of workers, each of which takes runs that nobody has claimed.

A job runs `allmodes work` on the study's folder, and Slurm is asked for nothing but places to run it: what a job does
next it reads from the folder. So a job that is requeued, preempted or killed costs a checkpoint at most, the study ends
even if the command that submitted it is gone, and the same command goes on with the jobs that it finds.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from allmodes.runs.run import RunError
from allmodes.studies.study import Study
from allmodes.system.durable import replace_text
from allmodes_schemas import SlurmConfig

SLURM = ".slurm"
"""The folder of a study that holds the script, the number of the array and the logs of its jobs."""
POLL = 2.0
"""Seconds between two looks at the jobs that were cancelled."""
WAIT = 120.0
"""Seconds that jobs have to save and end after Ctrl-C."""

SCRIPT = """#!/bin/bash
# Made by `allmodes compare --on slurm`, which writes it anew.
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output="{log}"
#SBATCH --signal=B:USR1@{notice}
{directives}
export ALLMODES_SIGNALS=USR1,USR2

worker=
for signal in USR1 USR2 TERM; do
  trap "kill -$signal \\$worker 2>/dev/null" $signal
done
# Slurm does not requeue a job whose python was killed: it is started again, at most three times without an end.
for attempt in 1 2 3; do
  {command} &
  worker=$!
  while kill -0 $worker 2>/dev/null; do wait $worker; done # a signal interrupts it
  wait $worker
  code=$?
  case $code in
  75 | 138 | 140) # near the time limit: saved or, killed by USR1 or USR2 while it began, with nothing to save
    if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {restarts} ]; then
      echo "not queued again: this job was {restarts} times" >&2
      exit 75
    fi
    exec scontrol requeue "$SLURM_JOB_ID"
    ;;
  esac
  [ $code -lt 128 ] || [ $code -eq 143 ] || [ $code -eq 130 ] || {{ echo "ended with $code: again" >&2; continue; }}
  exit $code
done
exit 1
"""


@dataclass
class SlurmArray:
    """The array of jobs that works on a study, submitted by this command or by one before.

    Attributes:
        number: Slurm's number of the array; empty before there is one.
    """

    study: Study
    options: SlurmConfig
    words: Sequence[str]
    number: str = field(default="", init=False)

    @property
    def folder(self) -> Path:
        """The folder of script, number and logs."""
        return self.study.folder / SLURM

    def submit(self) -> bool:
        """Submit the array, unless jobs of an earlier one are left; returns whether it did. Raises RunError."""
        self.number = self._stored()
        if self.number and self.left():
            return False
        self.folder.mkdir(exist_ok=True)
        script = replace_text(self.folder / "job.sh", self.script())
        self.number = _call("sbatch", "--parsable", str(script)).split(";")[0].strip()
        replace_text(self.folder / "array", self.number)
        return True

    def script(self) -> str:
        """The script of a job."""
        work = [
            sys.executable,
            "-m",
            "allmodes",
            "work",
            str(self.study.folder),
            *("--quiet", "--no-wait", "--no-figures"),
            *self.words,
        ]
        return SCRIPT.format(
            name=re.sub(r"[^A-Za-z0-9_.-]", "-", f"allmodes-{self.study.id}"),
            last=self.options.workers - 1,
            log=_escape(self.folder) + "/%A_%a.log",
            notice=self.options.notice,
            restarts=self.options.restarts,
            directives="\n".join(_directives(self.options)),
            command=shlex.join(work),
        )

    def left(self) -> list[str]:
        """The states of the jobs that are waiting or running. Raises RunError."""
        listed = _call("squeue", "--noheader", "--array", "--format=%T", f"--jobs={self.number}", missing="")
        return listed.split()

    def cancel(self) -> None:
        """Ask all jobs to save and end, and wait until none is left."""
        _call("scancel", self.number, missing="")
        until = time.monotonic() + WAIT
        while self.left() and time.monotonic() < until:
            time.sleep(POLL)

    def _stored(self) -> str:
        file = self.folder / "array"
        text = file.read_text().strip() if file.is_file() else ""
        return text if text.isdecimal() else ""


def _directives(options: SlurmConfig) -> Iterator[str]:
    """The directives of the script that the options ask for."""
    names = {"gpus": "gpus-per-task", "cpus": "cpus-per-task", "memory": "mem"}
    for name in ("partition", "account", "qos", "constraint", "time", "gpus", "cpus", "memory"):
        if (value := getattr(options, name)) is not None:
            yield f"#SBATCH --{names.get(name, name)}={value}"


def _escape(folder: Path) -> str:
    """A folder as it stands in a directive. Raises RunError where no quotes help."""
    if any(letter < " " or letter in '"\\' for letter in str(folder)):
        raise RunError(f"{folder!r}: Slurm cannot write its logs there: take a folder of plainer letters")
    return str(folder).replace("%", "%%")


def _call(*words: str, missing: str | None = None) -> str:
    """Call a command of Slurm; `missing` is the answer where it knows no such job. Raises RunError."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603, no shell, and our own words
    except FileNotFoundError:
        raise RunError(f"{words[0]}: not found: --on slurm is for a host that can submit jobs to Slurm") from None
    said = done.stderr.strip()
    if done.returncode and missing is not None and "Invalid job id" in said:
        return missing
    if done.returncode:
        raise RunError(f"{words[0]} failed: {said or f'exit code {done.returncode}'}")
    return done.stdout
