"""Removal of passwords, tokens and queries from addresses and texts, before they are written or printed."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus, unquote, unquote_plus

MARK = "***"
LEAST = 6  # letters of a secret that is removed from every text: a shorter one is part of ordinary words

_DATABASES = ("postgres", "mysql", "mariadb", "mssql", "oracle", "sqlite")
"""Schemes in which a user name without a password is not a token."""
_ENDS = re.compile(r"[?#;]|%3f|%23|%3b", re.IGNORECASE)
"""Characters that end the path of an address."""
_SPLITS = re.compile(r"[/@:?#;&=\s]+")
_KEYS = "token|password|passwd|pwd|secret|signature|api[_-]?key|access[_-]?key|account[_-]?key|authorization"
_VALUES = re.compile(rf"(?i)((?<![a-z0-9])(?:[a-z0-9.]+[_-])*(?:{_KEYS})(?:=|%3d))[^\s&;,'\"<>]+")
_PARTS = re.compile(r"(?i)([?&;](?:key|sig|auth|code)(?:=|%3d))[^\s&;,'\"<>]+")
_HEADER = re.compile(r"(?i)(authorization['\"]?(?::|=|%3d)\s*['\"]?(?:bearer|basic|digest|token)\s+)[^\s'\"]+")
_SET = re.compile(rf"(?is)((?<![a-z0-9])(?:[a-z0-9.]+[_-])*(?:{_KEYS})['\"]?:\s*).+")
"""A key and a value as YAML or a header has them; in a message, unlike a command, prose may follow such a key."""
_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.\-]+:/{1,3}[^\s'\"<>]*@[^\s'\"<>]*")
_SECRET_NAMES = re.compile(r"(?i)(token|passw(or)?d|secret|secret_?(access_?)?key|api_?key|access_?key|account_?key)$")

_learned = set[str]()
"""Addresses that this process got otherwise than through its environment."""


def learn(address: str) -> None:
    """Remove the secrets of an address from all texts from now on."""
    if "://" in address:
        _learned.add(address)


def address(given: str) -> str:
    """Replace passwords, tokens, queries and fragments of an address by `***`.

    If it is ambiguous which part is a password and which a host, only the scheme is left.
    """
    scheme, mark, rest = given.partition("://")
    if not mark:
        return _redact_values(_redact_fragment(given))
    authority, tail = _split_authority(rest)
    if scheme.lower() == "file" and "@" not in authority:
        return given
    if "@" in tail:
        if rest.count("@") > 1 or not re.fullmatch(r"[^:]+:.*\D.*", authority):
            return f"{scheme}://{MARK}"
        before, _, after = rest.rpartition("@")
        authority, tail = _split_authority(after)
        authority = f"{before}@{authority}"
    return f"{scheme}://{_redact_user(scheme, authority)}{_redact_values(_redact_query(tail))}"


def text(message: str) -> str:
    """Remove known secrets from a text, and what looks like secrets."""
    for secret in _longest_first(_variants(one for one in _known_secrets() if len(one) >= LEAST)):
        message = message.replace(secret, MARK)
    return _redact_values(_ADDRESS.sub(lambda found: address(found[0]), _HEADER.sub(rf"\1{MARK}", message)))


def command(words: Sequence[str]) -> str:
    """A command line to copy into a shell, without secrets: also without the word behind `--token` or the like."""
    shown = [_SET.sub(rf"\1{MARK}", word) for word in words]
    for place, word in enumerate(words[:-1], 1):
        if _announces(word):
            shown[place] = MARK
    return " ".join(word if word == MARK else text(shlex.quote(word)) for word in shown)


def _announces(word: str) -> bool:
    """Whether the next word of a command is a secret, as behind `--token`, `x.password:` or `Bearer`."""
    is_option = word.startswith("-") and "=" not in word
    names = word.endswith(":") or is_option
    return word.lower() == "bearer" or (names and bool(_SECRET_NAMES.search(word.rstrip(":").replace("-", "_"))))


def of_store(message: str, store: str) -> str | None:
    """Remove a store's secrets from a library's message about it; None if parts of them may be left."""
    secrets = [one for one in (*_secrets_of(store), *_known_secrets()) if one]
    for secret in _longest_first(_variants(secrets)):
        message = (
            message.replace(secret, MARK) if len(secret) >= LEAST else re.sub(_word_pattern(secret), MARK, message)
        )
    parts = {part for secret in _variants(secrets) for part in _SPLITS.split(secret) if len(part) >= 2}
    if any(re.search(_word_pattern(part), message) for part in parts):
        return None
    return re.sub(r"(/[^\s'\"?#]*[?#])[^\s'\")]+", rf"\1{MARK}", text(message))


def _redact_fragment(given: str) -> str:
    """Redact a text that is not a whole address but may be meant as one; a path stays as it is."""
    word, letter = r"[^:/@\\]{2,}", r"[^:/@\\](?=:[^/\\])"  # m:password, but not C:/folder
    shown = re.sub(rf"(?s)^(/*(?:{word}|{letter})):.*@", rf"\1:{MARK}@", given)
    return _redact_query(shown) if re.match(r"/*[\w.+-]{2,}:[/\d]", given) else shown


def _split_authority(rest: str) -> tuple[str, str]:
    """Split user and host from what follows them."""
    end = re.search(r"[/?#;]", rest)
    return (rest[: end.start()], rest[end.start() :]) if end else (rest, "")


def _redact_user(scheme: str, authority: str) -> str:
    """Redact the password, or a token in the place of the user, in front of a host."""
    user, at, host = authority.rpartition("@")
    name, colon, after = user.partition(":")
    is_token = after in ("", "x-oauth-basic") if colon else not scheme.lower().startswith(_DATABASES)
    if not at:
        return authority
    return f"{MARK if is_token else name}{f':{MARK}' if colon and not is_token else ''}@{host}"


def _redact_query(tail: str) -> str:
    end = _ENDS.search(tail)
    if end is None:
        return tail
    return tail[: end.end()] + MARK if tail[end.end() :] else tail[: end.start()]


def _redact_values(message: str) -> str:
    """Redact the values of keys that are called password, token or similar."""
    return _PARTS.sub(rf"\1{MARK}", _VALUES.sub(rf"\1{MARK}", message))


def _known_secrets() -> Iterator[str]:
    """Secrets of the environment, and of addresses that were learned."""
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name):
            yield value
        elif "://" in value:
            yield from _secrets_of(value)
    for given in tuple(_learned):
        yield from _secrets_of(given)


def _secrets_of(given: str) -> Iterator[str]:
    """All that may be secret in an address, under each way to parse it."""
    scheme, _, rest = given.partition("://")
    if scheme.lower() == "file" or scheme.lower().startswith("sqlite"):
        return
    for user in {rest.rpartition("@")[0], _split_authority(rest)[0].rpartition("@")[0]} - {""}:
        name, colon, after = user.partition(":")
        if after:
            yield from (after, base64.b64encode(unquote(user).encode()).decode())
        elif colon or not scheme.lower().startswith(_DATABASES):
            yield name
    if end := _ENDS.search(rest):
        query = rest[end.end() :]
        yield query
        yield from (part.partition("=")[2] for part in re.split("[&;#]", query))


def _variants(secrets: Iterable[str]) -> set[str]:
    """Forms in which secrets may occur in a text: encoded, decoded, and as Python or JSON write them."""
    plain = {form for one in secrets for form in (one, unquote(one), unquote_plus(one))} - {""}
    written = {form for one in plain for form in (quote(one), quote(one, safe=""), quote_plus(one))}
    return plain | written | {form for one in plain for form in (repr(one)[1:-1], json.dumps(one)[1:-1])}


def _word_pattern(secret: str) -> str:
    return rf"(?<!\w){re.escape(secret)}(?!\w)"


def _longest_first(secrets: Iterable[str]) -> list[str]:
    return sorted(secrets, key=len, reverse=True)
