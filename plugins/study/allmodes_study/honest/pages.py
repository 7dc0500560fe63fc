"""The page of the study: settings, trials, and a table for each data set and budget."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

from allmodes_study.honest.datasets import TUNING
from allmodes_study.honest.evidence import best_of
from allmodes_study.honest.plan import BASELINE, POINTS, Plan
from allmodes_study.honest.stages import LATENTS

METRICS = ("modes", "high_quality", "variance_ratio", "w1", "memorisation")
Page = Mapping[str, Any]
Trials = Mapping[str, Sequence[Mapping[str, float]]]


def write(plan: Plan, page: Page, trials: Trials) -> str:
    """The page in Markdown, from the evidence and the trials."""
    parts = [_introduction(plan, page, trials), _methods(page), _trials(plan, trials)]
    for data, tried in page["data"].items():
        for budget, meaning in page["budgets"].items():
            found = [one for one in page["results"] if (one["data"], one["budget"]) == (data, budget)]
            if found:
                notes = _missing(page, data, found) + _unequal(plan, found, budget) + _figure(data, budget)
                text = _table(HEADER, _rows(tried, found)) + notes
                parts.append(f"## {data}: {tried['description']}; {meaning}\n\n{text}")
    return "\n".join(parts)


def curves(plan: Plan, folder: Path, docs: Path) -> list[Path]:
    """Copy the curves of the share of good samples over processor time to beside the page; returns the files."""
    found = {data: folder / "cpu" / data / "curves" / "high_quality-cpu_seconds.png" for data in plan.data}
    return [Path(copyfile(path, docs / f"honest-{data}.png")) for data, path in found.items() if path.exists()]


def _missing(page: Page, data: str, found: Sequence[Page]) -> str:
    """Which methods were run on the data, but have no seed that finished with this budget."""
    run = dict.fromkeys(one["method"] for one in page["results"] if one["data"] == data)
    left = [name for name in run if name not in {one["method"] for one in found}]
    return f"\nNot run for want of time: {', '.join(left)}.\n" if left else ""


def _unequal(plan: Plan, found: Sequence[Page], budget: str) -> str:
    """Which methods had another budget than the others, below their table."""
    cost, meant, slack = ("images", plan.images, 0.01) if budget == "images" else ("cpu_seconds", plan.cpu_seconds, 0.1)
    spent = {one["method"]: one["costs"][cost] for one in found if one["seeds"]}
    other = [f"{name}: {_cost(cost, value)}" for name, value in spent.items() if abs(value / meant - 1) > slack]
    return f"\n**Not equal**: {'; '.join(other)}.\n" if other else ""


def _cost(name: str, value: float) -> str:
    return f"{value:,.0f} images" if name == "images" else f"{value:.2f} s"


def _figure(data: str, budget: str) -> str:
    if budget != "cpu":
        return ""
    shared = f"Seeds share the fits of {' and '.join(LATENTS)} here: a lone run begins where its row's seconds say."
    return f"\n![Share of good samples over CPU seconds on {data}](honest-{data}.png)\n\n{shared}\n"


COSTS = {"images": "images seen", "generator_updates": "G updates", "cpu_seconds": "CPU seconds"}
HEADER = ("method", "seeds", *METRICS, *COSTS.values(), f"w1 against {BASELINE}", "against samplers")


def _introduction(plan: Plan, page: Page, trials: Trials) -> str:
    made = ", ".join(f"{name} {value}" for name, value in page["made"].items())
    rates, betas = (" or ".join(f"{value:g}" for value in each) for each in (plan.rates, plan.betas))
    return f"""# The study at equal budgets

{made}. In sentences: [which method for which data](../choose.md).

Every network is a perceptron of two layers of 64, but for the generators of MGAN, the experts of switch, and where
the table of methods says otherwise; networks that see local coordinates are wider at their input. Batches are of
{plan.batch}; Adam has a second decay of 0.99 and a rate that is flat for 30 % of the run and then falls to 0; a moving
average (0.99) of the generator is measured, and data have a scale of about 1 and 8,192 training items.
{plan.samples:,} samples are measured, w1 of {plan.pairs:,} of them.{_left(plan, page)}

**Numbers** are those of [metrics](../metrics.md). A sample is of high quality within a radius of a mode that holds
98.9 % of its points, and a mode counts once one sample is: points spread evenly over the grid's square have 23 of its
25 modes, with 2.6 % of high quality, so that a count says little where high quality is low. `variance_ratio` is of the
samples of high quality alone. `-`: withheld, since too few samples are good, or not measured; *(k seeds)*: so many of
those that finished have the number. A seed that failed is in no mean, which flatters its method.

**Search.** Every method was tried with {len(plan.trials)} settings (the learning rate of every player {rates}; Adam's
first decay {betas}) and {len(plan.tuning_seeds)} seeds each on one data set, {TUNING.description}, at the budget of
images. The setting of the smallest mean w1 was kept for all data below, on which no rate and no decay was chosen. Two
seeds are few: between trials that are close chance decides. {_screened(plan, trials)} {_edge(plan, trials)}

**Not equal.** Only these two settings were searched; all others are those of recipes, but for the penalty of
every-mode: gamma is 1 here, and a quarter in its recipe since. The settings of every-mode, every-mode-compressed and
switch, which are ours, were found in trials on ring, grid, and random mixtures and arcs of other geometries; those of
the other methods since 2023 in a few runs on ring and grid; most older ones have had no trials on such data. So grid
and ring are no test of what was tried on them. What a method is told is below.

**Budgets.** {_sentence(page["budgets"]["images"])} is counted in real items drawn, so a method with five
discriminator updates has fewer generator updates. A turn of either player draws a batch of its own: the generator's
turn is charged for one even where its losses do not look at data, as in a plain GAN, so that a method in one
simultaneous turn, or without a discriminator, has twice the updates for the same images.{_over(plan, page)} These are
few updates: half of what [an earlier study](study_ten_seeds.md) found too few for most methods on the grid. The tables
compare how soon methods are good, not how good they become. Items that a fit reads are not counted as seen, and a
method that begins with a fit to the data has nothing to lose by a short run.
{_sentence(page["budgets"]["cpu"])}: the iterations of a method on data are those that take so long by the time that its
runs with the budget of images took there. All seeds of a method train in one stack, whose time is shared out equally;
what the engine does once for a stack counts, evaluations do not. The column has what it really took. A lone run
takes several times as long for each update. **A fit that runs of a process share counts whole**, as a lone run pays it:
that of {" and ".join(LATENTS)} takes more than the budget, so that these are trained for {POINTS} iterations there, the
fewest there are: their rows show little but their latent. Rows in italics have the latents of these two alone, before
any training. Verdicts on a method that a table names as not equal are on what it had, not on equal budgets.

Intervals are 95 % bootstrap intervals over seeds (BCa). `better` and `worse`: w1 is below or above the plain GAN's in a
paired permutation test over seeds, with Holm's correction for the number of methods, at 0.05 for each table: tables are
not corrected for each other, and with ten seeds the first method to be called so has to be on one side in every seed.
All seeds have the same training items, and every-mode the same fit to them: intervals and tests are of training and of
sampling, not of other data. All modes in ten of ten seeds leaves a chance of up to 26 % a run that one is lost (95 %).
Rows in italics need no training: a method that does not reach them has shown nothing on these data, unless samples have
to be new (`memorisation`: 1 is no memory of the training items, 0 a copy; measured at the budget of images, of
every-mode, every-mode-compressed and switch alone, which are fitted to single items: any other method may have copied).
The numbers of real data are means of five draws, so that a w1 below theirs is chance; those of copy, bootstrap and
mixture are means of three draws of one fit. The last column compares w1 over seeds with that of as many draws of each
row in italics but real data and copy, in an
unpaired permutation test with Holm's correction for all tests of a table: `> X` is better than the sampler X, `< X`
worse; an empty cell does not say that they are equal.

**w1, by which settings were chosen and rows are ordered, hardly sees the width of modes in many dimensions**: modes of
a third of the data's variance can score as real data do. Read `variance_ratio` and `high_quality`, too: both should
be near real data's, and a share above theirs says that modes are too narrow.
"""


def _screened(plan: Plan, trials: Trials) -> str:
    """Which methods the search left, with their best w1, and which it would have kept in any case."""
    best = {method: best_of(each)["w1"] for method, each in trials.items()}
    left = [name for name, w1 in best.items() if w1 >= best[BASELINE] and name not in plan.always]
    kept = ", ".join(name for name in plan.always if name != BASELINE)
    named = ", ".join(f"{name} ({best[name]:.3g})" for name in left)
    text = f"Methods that were no better there than the plain GAN ({best[BASELINE]:.3g}) were left out"
    return f"{text}: {named or 'none'}; {kept} would have been kept in any case."


def _left(plan: Plan, page: Page) -> str:
    """The data that the command would go on with."""
    left = [f"{name} ({one.description})" for name, one in plan.data.items() if name not in page["data"]]
    return f" Not run for want of time: {', '.join(left)}." if left else ""


def _edge(plan: Plan, trials: Trials) -> str:
    """How many methods chose the largest or smallest learning rate: the best may lie beyond."""
    chosen = [best_of(each)["lr"] for each in trials.values()]
    ends = chosen.count(max(plan.rates)), chosen.count(min(plan.rates))
    text = f"Of {len(chosen)} methods {ends[0]} chose the largest learning rate and {ends[1]} the smallest"
    return f"{text}: for these the best may lie beyond the search."


def _over(plan: Plan, page: Page) -> str:
    """Who saw more images than the budget, such as a method with a third turn."""
    counted = [one for one in page["results"] if one["budget"] == "images" and one["seeds"]]
    seen = {one["method"]: one["costs"]["images"] for one in counted}
    over = [f"{method} ({images:,.0f})" for method, images in seen.items() if images > plan.images]
    return f" **Not equal**: more images were drawn for {', '.join(over)}, which have a turn more." if over else ""


def _methods(page: Page) -> str:
    rows = ([name, one["description"], one["told"], one["setting"]] for name, one in page["methods"].items())
    return f"## Methods\n\n{_table(('method', '', 'is told', 'chosen setting'), rows)}"


def _trials(plan: Plan, trials: Trials) -> str:
    """Mean w1 of each trial, the chosen one in bold."""
    header = ("method", *(f"{trial.lr:g}, {trial.beta:g}" for trial in plan.trials))
    rows = ([method, *(_trial(one, one is best_of(each)) for one in each)] for method, each in trials.items())
    text = "Mean w1 on the data of the search, by learning rate and first decay; `-`: a seed failed."
    return f"## Trials\n\n{text}\n\n{_table(header, rows)}"


def _trial(one: Mapping[str, float], is_best: bool) -> str:
    if not math.isfinite(one["w1"]):
        return "-"
    return f"**{one['w1']:.3g}**" if is_best else f"{one['w1']:.3g}"


def _rows(tried: Page, found: Sequence[Page]) -> Iterator[list[str]]:
    """Real data and reference samplers, then the methods by their w1."""
    for title, numbers in {"real data": tried["real"], **tried["references"]}.items():
        yield [f"*{title}*", "", *(_value(metric, numbers.get(metric)) for metric in METRICS), *[""] * (len(COSTS) + 2)]
    for one in sorted(found, key=lambda one: one["numbers"].get("w1", {"mean": math.inf})["mean"]):
        numbers = [_number(metric, one["numbers"].get(metric)) for metric in METRICS]
        seeds = str(one["seeds"]) if one["seeds"] == one["of"] else f"{one['seeds']} of {one['of']}"
        costs = [_spent(name, one["costs"][name]) if one["seeds"] else "" for name in COSTS]
        yield [
            one["method"],
            seeds,
            *numbers,
            *costs,
            one["verdicts"].get("w1", ""),
            _beside(one["against"], _peers(tried)),
        ]


def _peers(tried: Page) -> list[str]:
    """The samplers without a game that methods are tested against: all but a copy."""
    return [row for row in tried["references"] if not row.startswith("copy")]


def _beside(verdicts: Mapping[str, str], peers: Sequence[str]) -> str:
    """Which samplers a method is better (>) and worse (<) than."""
    for verdict, sign in {"better": ">", "worse": "<"}.items():
        if peers and all(verdicts.get(row) == verdict for row in peers):
            return f"{sign} all"
    return ", ".join(f"{'>' if verdict == 'better' else '<'} {row}" for row, verdict in verdicts.items())


def _number(metric: str, number: Mapping[str, float | None] | None) -> str:
    if number is None:
        return "-"
    mean, low, high = (_value(metric, number[name]) for name in ("mean", "low", "high"))
    measured = number.get("seeds")
    seeds = f" *({measured:.0f} seed{'s' * (measured != 1)})*" if measured else ""
    return f"{mean}{seeds}" if low in ("", mean) and high in ("", mean) else f"{mean} ({low} to {high}){seeds}"


def _spent(cost: str, value: float) -> str:
    return f"{value:.2f}" if cost == "cpu_seconds" else f"{value:,.0f}"


def _value(metric: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.3g} %" if metric == "high_quality" else f"{value:.3g}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(header: Sequence[str], rows: Any) -> str:
    lines = [list(header), ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
