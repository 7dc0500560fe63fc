"""Claims about a method's numbers over seeds: scatter, missing seeds and undefined values can only break a claim.

An allowance is a number that is written down before the runs. It never comes from the scatter of the very runs that
are judged, which would let the noisier method pass the more easily.
"""

from math import isfinite, nan
from statistics import fmean

from allmodes.experiments.results import Results


def values_of_seeds(results: Results, metric: str) -> list[float]:
    """The metric's last value for each seed; a seed that did not finish, or has no finite one, refutes any claim."""
    found = {seed: outcome.results.get(metric, nan) for seed, outcome in results.outcomes.items()}
    unfinished = [seed for seed, outcome in results.outcomes.items() if outcome.status != "finished"]
    unknown = [seed for seed, value in found.items() if not isfinite(value)]
    assert found, "there are no seeds"
    assert not unfinished, f"seeds {unfinished} did not finish"
    assert not unknown, f"{metric} is not known for seeds {unknown}"
    return list(found.values())


def mean_at_least(results: Results, metric: str, claim: float, allowance: float = 0.0) -> None:
    """The mean over the seeds is no further below the claim than an allowance fixed beforehand."""
    values = values_of_seeds(results, metric)
    assert fmean(values) >= claim - allowance, f"mean {metric} of {values} is below {claim} - {allowance}"


def mean_at_most(results: Results, metric: str, claim: float, allowance: float = 0.0) -> None:
    """The mean over the seeds is no further above the claim than an allowance fixed beforehand."""
    values = values_of_seeds(results, metric)
    assert fmean(values) <= claim + allowance, f"mean {metric} of {values} is above {claim} + {allowance}"


def each_at_least(results: Results, metric: str, claim: float) -> None:
    """No seed is below the claim."""
    values = values_of_seeds(results, metric)
    assert min(values) >= claim, f"{metric} of {values} is below {claim}"


def each_at_most(results: Results, metric: str, claim: float) -> None:
    """No seed is above the claim."""
    values = values_of_seeds(results, metric)
    assert max(values) <= claim, f"{metric} of {values} is above {claim}"
