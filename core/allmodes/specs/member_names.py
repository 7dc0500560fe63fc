"""Names of the members of a sweep: what differs, in letters that every file system takes, bounded in length."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from allmodes_schemas import Location

LONGEST, LONGEST_VALUE = 80, 24
"""Letters of a name, and of one value in it."""


def labels(paths: Sequence[Location]) -> dict[Location, str]:
    """The shortest end of each path that no other path ends with: `lr`, or `generator.lr` and `discriminator.lr`."""
    return {path: next(_ends_apart(path, paths)) for path in paths}


def tokens(values: Sequence[Any]) -> list[str]:
    """A short word for each value of a setting, unlike the others' in more than case."""
    words = [_word(value) for value in values]
    if _are_apart(words):
        return words
    longer = [_word(value, whole=True) for value in values]
    return longer if _are_apart(longer) else [f"{_cut(word, 16)}.{i}" for i, word in enumerate(words)]


def shorten(name: str, longest: int = LONGEST) -> str:
    """A name that is long, cut and made unique by a hash of all of it."""
    if len(name) <= longest and len(name.encode()) <= 2 * longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    kept = name.encode()[: longest - 9].decode(errors="ignore")
    return f"{kept.rstrip('.,=-')}-{digest}"


def _ends_apart(path: Location, paths: Sequence[Location]) -> Iterator[str]:
    for length in range(1, len(path) + 1):
        end = path[-length:]
        is_whole = length == len(path) or isinstance(end[0], str)  # 1.weight tells nothing
        if is_whole and sum(other[-length:] == end for other in paths) == 1:
            yield _safe(".".join(map(str, end)))
    yield _safe(".".join(map(str, path)))


def _are_apart(words: Sequence[str]) -> bool:
    counts = Counter(word.casefold() for word in words)
    return all(word and len(word) <= LONGEST_VALUE for word in words) and max(counts.values(), default=0) <= 1


def _word(value: Any, whole: bool = False) -> str:
    """A word for a value: a number in six digits, a kind, or the values within; `whole`: everything in it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return _safe((repr(value) if whole else f"{value:.6g}").replace("e+0", "e").replace("e+", "e"))
    if isinstance(value, Mapping):
        inner = value.values() if whole or "kind" not in value else [value["kind"]]
        return "-".join(_word(one, whole) for one in inner)
    if isinstance(value, list | tuple):
        return "-".join(_word(one, whole) for one in value)
    return _safe(str(value))


def _safe(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-. ") if not re.fullmatch(r"-[\d.e-]+", text) else text


def _cut(word: str, longest: int) -> str:
    return word[:longest].rstrip(".,=-")


__all__ = ["labels", "shorten", "tokens"]
