"""Which methods did best on the tried data nearest to those asked for, in sentences, and what that leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isinf

from allmodes.builtin.config.references import CopyConfig
from allmodes.studies.evidence import NEAR, Evidence, Number, Result, Source, Traits, Tried, lacks
from allmodes.text.markdown import table
from allmodes.text.numbers import number

INTRODUCTION = """# Which method for which data

Written by `allmodes suggest --all` from what was measured; `allmodes suggest DATA` says the same of the tried data that
are nearest to yours. Numbers are means over seeds with 95 % intervals. A line *without a game* is a sampler that needs
no training: a method that does not reach it has shown nothing on these data, unless samples have to be new
(`memorisation`: 1 is no memory of the training items, 0 a copy).

Methods are ordered by w1, those first that have every mode in every seed, as wide as the data's (`variance_ratio`
within a fifth of that of real data), then those that lack one of both: w1 alone rewards modes that are too narrow, in
many dimensions above all. `variance_ratio` is of the samples of high quality alone: where they are few it says little.
Methods that took over a quarter more than a budget are named below it, and not ordered.
"""
LACKING = {"modes": "it has not every mode", "widths": "its modes have not the widths of the data's"}
SHOWN = 3
"""Methods named for each budget, beside those that cannot be told from the best."""
KEYS = ("w1", "modes", "high_quality", "variance_ratio", "memorisation")
WORDS = {
    "dims": "coordinates",
    "modes": "modes",
    "items": "training items",
    "weight_ratio": "times as common the commonest mode is as the rarest",
    "width_ratio": "times as wide the widest mode is as the narrowest",
    "curved": "curved",
    "images": "images",
}


def suggest(source: Source, traits: Traits) -> Iterator[str]:
    """Yield lines: the nearest data, the best methods on them at each budget, and what was not tried."""
    evidence = source.evidence
    name, differences = evidence.nearest(traits)
    tried = evidence.data[name]
    yield f"{source.name}: {evidence.title}"
    yield f"nearest data that were tried: {name}, {tried.description}"
    yield from caveats(traits, tried.traits, differences)
    yield from describe(evidence, name)
    yield f"not tried: {'; '.join(evidence.not_tried)}"
    if made := "; ".join(f"{key} {value}" for key, value in evidence.made.items()):
        yield f"made by: {made}"


def page(sources: Sequence[Source]) -> str:
    """Write a page of Markdown about all data of all evidence."""
    parts = [INTRODUCTION]
    for source in sources:
        evidence = source.evidence
        parts.append(f"## {source.name}\n\n{_sentence(evidence.title)} Not tried: {'; '.join(evidence.not_tried)}.\n")
        parts.append(table(("data", *evidence.budgets.values(), "without a game"), _overview(evidence)))
        for name, tried in evidence.data.items():
            lines = "\n".join(_bullet(line) for line in describe(evidence, name))
            parts.append(f"### {name}: {tried.description}\n\n{lines}\n")
    return "\n".join(parts)


def _overview(evidence: Evidence) -> Iterator[list[str]]:
    """For all data, the best method at each budget and the best sampler without a game."""
    for name, tried in evidence.data.items():
        shown = [_show_best(evidence, evidence.ranking(name, budget)) for budget in evidence.budgets]
        reference = _best_reference(evidence, tried)
        yield [name, *shown, f"{reference[0]}: {number(reference[1])}" if reference else ""]


def _show_best(evidence: Evidence, ranking: list[Result]) -> str:
    """The cell of the best method; empty where none has a number."""
    return f"{ranking[0].method}: {describe_number(ranking[0].numbers[evidence.criterion])}" if ranking else ""


def describe(evidence: Evidence, data: str) -> Iterator[str]:
    """Yield lines about data: scores of real items and of reference samplers, and the best methods at each budget."""
    tried = evidence.data[data]
    keys = [key for key in KEYS if any(key in one.numbers for one in evidence.results if one.data == data)]
    yield f"  real data: {_plain(tried.real, keys)}"
    for title, numbers in tried.references.items():
        yield f"  without a game, {title}: {_plain(numbers, keys)}"
    for budget, meaning in evidence.budgets.items():
        ranking, unranked = evidence.ranking(data, budget), evidence.unranked(data, budget)
        if ranking or unranked or evidence.beyond(data, budget):
            yield f"at {meaning}:"
        for place, result in enumerate(ranking[:SHOWN], 1):
            yield f"  {place}. {_line(evidence, result, keys)}"
        if ranking and (close := _close(evidence, ranking)):
            yield f"     their intervals of {evidence.criterion} meet that of the best, too: {', '.join(close)}"
        if (untold := _untold(evidence, ranking)) in ranking[SHOWN:]:
            yield f"     the best that is told nothing: {_line(evidence, untold, keys)}"
        if ranking and (beside := _beside_references(evidence, tried, ranking[0])):
            yield f"  {beside}"
        yield from _beyond(evidence, data, budget)
        yield from _failures(evidence, unranked)


def caveats(traits: Traits, tried: Traits, differences: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each trait in which data are unlike those that were tried."""
    for name, factor in differences.items():
        mine, theirs = getattr(traits, name), getattr(tried, name)
        if isinf(factor):
            yield f"  but yours are{'' if mine else ' not'} {WORDS[name]}: this says little about them"
        elif factor > NEAR:
            yield f"  but {number(mine)} {WORDS[name]}, not {number(theirs)}: this says little about them"


def _line(evidence: Evidence, result: Result, keys: list[str]) -> str:
    """A method with its numbers, what it was told, and how many seeds are missing."""
    method = evidence.methods[result.method]
    numbers = ", ".join(f"{key} {describe_number(result.numbers[key])}" for key in keys if key in result.numbers)
    told = f"; told: {method.told}" if method.told else ""
    setting = f"; {method.setting}" if method.setting else ""
    recipe = f"; as {method.recipe}" if method.recipe else ""
    missing = f"; {result.seeds} of {result.of} seeds finished" if result.seeds < result.of else ""
    lacking = "".join(f"; **{LACKING[what]}**" for what in evidence.lacks(result))
    return f"{result.method}: {numbers}{lacking}{told}{setting}{recipe}{missing}"


def _beyond(evidence: Evidence, data: str, budget: str) -> Iterator[str]:
    """Yield a line about methods that took more than the budget."""
    found = evidence.beyond(data, budget)
    for cost in evidence.limits.get(budget, {}):
        took = ", ".join(f"{one.method} ({number(one.costs.get(cost, 0.0))})" for one in found)
        if took:
            yield f"  took more {cost.replace('_', ' ')} than that, so not ordered here: {took}"


def _failures(evidence: Evidence, unranked: list[Result]) -> Iterator[str]:
    """Yield lines about methods that no number orders: those of which no seed finished, and those that withheld it."""
    failed = [f"{one.method} ({one.of} seeds)" for one in unranked if one.seeds == 0]
    withheld = [f"{one.method} ({one.seeds} of {one.of} seeds finished)" for one in unranked if one.seeds]
    if failed:
        yield f"  failed in all seeds: {', '.join(failed)}"
    if withheld:
        yield f"  without {evidence.criterion} in any seed that finished: {', '.join(withheld)}"


def _untold(evidence: Evidence, ranking: list[Result]) -> Result | None:
    """The best method that is told nothing that others are not."""
    return next((one for one in ranking if not evidence.methods[one.method].told), None)


def _close(evidence: Evidence, ranking: list[Result]) -> list[str]:
    """Methods beyond those shown whose interval of the criterion meets that of the best."""
    best = ranking[0].numbers[evidence.criterion]
    reach = best.mean if best.high is None else best.high
    others = [one for one in ranking[SHOWN:] if evidence.lacks(one) == evidence.lacks(ranking[0])]
    found = [(one.method, one.numbers[evidence.criterion]) for one in others]
    return [method for method, value in found if (value.mean if value.low is None else value.low) <= reach]


def _beside_references(evidence: Evidence, tried: Tried, best: Result) -> str:
    """Where the best method lies beside the best of the samplers without a game."""
    key, reference = evidence.criterion, _best_reference(evidence, tried)
    if reference is None:
        return ""
    title, score = reference
    value, tested = best.numbers[key], "" if best.against is not None else ", without an interval"
    score_of = f"{title} ({key} {number(score)}{tested})"
    verdict = _compare(value, score) if best.against is None else best.against.get(title)
    if verdict == "worse":
        return f"no method reaches {score_of}, which needs no training"
    if verdict == "better":
        return f"{best.method} is better than {score_of}, the best sampler without a game that is no copy"
    return f"{best.method} cannot be told from {score_of}, which needs no training"


def _compare(value: Number, score: float) -> str:
    """Where a whole interval lies beside a score of which there is no interval."""
    low, high = (value.mean if end is None else end for end in (value.low, value.high))
    return "worse" if low > score else "better" if high < score else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _bullet(line: str) -> str:
    """A line as an entry of a list; those that begin a budget stand alone."""
    return f"- {line.strip()}" if line.startswith(" ") else f"\n{_sentence(line.rstrip(':'))[:-1]}:\n"


def _best_reference(evidence: Evidence, tried: Tried) -> tuple[str, float] | None:
    """The sampler without a game that scores best, is no copy of the training items and lacks nothing of the data."""
    key = evidence.criterion
    others = {title: one for title, one in tried.references.items() if not title.startswith(CopyConfig.called)}
    kept = {title: one for title, one in others.items() if not lacks(one, tried.real)}
    scores = {title: numbers[key] for title, numbers in kept.items() if key in numbers}
    return min(scores.items(), key=lambda one: one[1]) if scores else None


def _plain(numbers: Mapping[str, float], keys: list[str]) -> str:
    return ", ".join(f"{key} {number(numbers[key])}" for key in keys if key in numbers) or "not measured"


def describe_number(value: Number) -> str:
    """Format a mean with its interval, where there is one."""
    if value.low is None or value.high is None:
        return number(value.mean)
    return f"{number(value.mean)} ({number(value.low)} to {number(value.high)})"
