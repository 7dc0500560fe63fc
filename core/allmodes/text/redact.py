"""Addresses and texts without passwords, tokens and queries, which are never written or printed."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

MARK = "***"
LEAST = 6  # letters of a secret that is looked for in every text: a shorter one is part of ordinary words

_DATABASES = ("postgres", "mysql", "mariadb", "mssql", "oracle", "sqlite")
"""Schemes whose lone user name is no token."""
_ENDS = re.compile(r"[?#;]|%3f|%23|%3b", re.IGNORECASE)
"""What ends the path of an address."""
_SPLITS = re.compile(r"[/@:?#;&=\s]+")
_KEYS = "token|password|passwd|pwd|secret|signature|api[_-]?key|access[_-]?key|account[_-]?key|authorization"
_NAMED = re.compile(rf"(?i)((?<![a-z0-9])(?:[a-z0-9.]+[_-])*(?:{_KEYS})(?:=|%3d))[^\s&;,'\"<>]+")
_PARTS = re.compile(r"(?i)([?&;](?:key|sig|auth|code)(?:=|%3d))[^\s&;,'\"<>]+")
_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.\-]+:/{1,3}[^\s'\"<>]*@[^\s'\"<>]*")
_HOLDS = re.compile(r"(?i)(token|passw(or)?d|secret|secret_?(access_?)?key|api_?key|access_?key|account_?key)$")

_given = set[str]()
"""Addresses that this process was given otherwise than through its environment."""


def learn(address: str) -> None:
    """Look for the secrets of an address from now on."""
    if "://" in address:
        _given.add(address)


def address(given: str) -> str:
    """An address with `***` for passwords, tokens, queries and fragments.

    Where it cannot be told what is a password and what a host, nothing but the scheme is left.
    """
    scheme, mark, rest = given.partition("://")
    if not mark:
        return _named(_half(given))
    authority, tail = _divided(rest)
    if scheme.lower() == "file" and "@" not in authority:
        return given
    if "@" in tail:
        if rest.count("@") > 1 or not re.fullmatch(r"[^:]+:.*\D.*", authority):
            return f"{scheme}://{MARK}"
        before, _, after = rest.rpartition("@")
        authority, tail = _divided(after)
        authority = f"{before}@{authority}"
    return f"{scheme}://{_who(scheme, authority)}{_named(_path(tail))}"


def text(said: str) -> str:
    """A text without what is known to be secret, and without what looks like it."""
    for secret in _sorted(_variants(one for one in _known() if len(one) >= LEAST)):
        said = said.replace(secret, MARK)
    return _named(_ADDRESS.sub(lambda found: address(found[0]), said))


def of_store(said: str, store: str) -> str | None:
    """What a library said of a store, without the store's secrets; None where parts of them may be left."""
    secrets = [one for one in (*_secrets(store), *_known()) if one]
    for secret in _sorted(_variants(secrets)):
        said = said.replace(secret, MARK) if len(secret) >= LEAST else re.sub(_word(secret), MARK, said)
    parts = {part for secret in _variants(secrets) for part in _SPLITS.split(secret) if len(part) >= 2}
    if any(re.search(_word(part), said) for part in parts):
        return None
    return re.sub(r"(/[^\s'\"?#]*[?#])[^\s'\")]+", rf"\1{MARK}", text(said))


def _half(given: str) -> str:
    """What is no whole address, but may have been meant as one; a path stays as it is."""
    word, letter = r"[^:/@\\]{2,}", r"[^:/@\\](?=:[^/\\])"  # m:password, but not C:/folder
    shown = re.sub(rf"(?s)^(/*(?:{word}|{letter})):.*@", rf"\1:{MARK}@", given)
    return _path(shown) if re.match(r"/*[\w.+-]{2,}:[/\d]", given) else shown


def _divided(rest: str) -> tuple[str, str]:
    """User and host, and what comes after them."""
    end = re.search(r"[/?#;]", rest)
    return (rest[: end.start()], rest[end.start() :]) if end else (rest, "")


def _who(scheme: str, authority: str) -> str:
    """User and host without the password, or without a token in the place of the user."""
    user, at, host = authority.rpartition("@")
    name, colon, after = user.partition(":")
    is_token = after in ("", "x-oauth-basic") if colon else not scheme.lower().startswith(_DATABASES)
    if not at:
        return authority
    return f"{MARK if is_token else name}{f':{MARK}' if colon and not is_token else ''}@{host}"


def _path(tail: str) -> str:
    end = _ENDS.search(tail)
    if end is None:
        return tail
    return tail[: end.end()] + MARK if tail[end.end() :] else tail[: end.start()]


def _named(said: str) -> str:
    """A text without the values of what is called a password or token."""
    return _PARTS.sub(rf"\1{MARK}", _NAMED.sub(rf"\1{MARK}", said))


def _known() -> Iterator[str]:
    """Secrets of the environment, and of addresses that were given otherwise."""
    for name, value in os.environ.items():
        if _HOLDS.search(name):
            yield value
        elif "://" in value:
            yield from _secrets(value)
    for given in tuple(_given):
        yield from _secrets(given)


def _secrets(given: str) -> Iterator[str]:
    """All that may be secret in an address, however it is read."""
    scheme, _, rest = given.partition("://")
    if scheme.lower() == "file" or scheme.lower().startswith("sqlite"):
        return
    for user in {rest.rpartition("@")[0], _divided(rest)[0].rpartition("@")[0]} - {""}:
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
    """Secrets as they may stand in a text: encoded, decoded, and as Python or JSON write them."""
    plain = {form for one in secrets for form in (one, unquote(one), unquote_plus(one))} - {""}
    written = {form for one in plain for form in (quote(one), quote(one, safe=""), quote_plus(one))}
    return plain | written | {form for one in plain for form in (repr(one)[1:-1], json.dumps(one)[1:-1])}


def _word(secret: str) -> str:
    return rf"(?<!\w){re.escape(secret)}(?!\w)"


def _sorted(secrets: Iterable[str]) -> list[str]:
    return sorted(secrets, key=len, reverse=True)
