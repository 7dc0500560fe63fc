"""A text from an https address: bounded in size and time, and never from an address without https."""

from __future__ import annotations

import time
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from typing_extensions import override

from allmodes.specs.safe_yaml import BYTES
from allmodes.specs.source import SpecError
from allmodes.text import redact
from allmodes.text.printable import printable

SECURE, SECONDS, CHUNK = "https://", 20.0, 2**16
OTHERWISE = "or give a file: --catalogue FILE"


class _SecureRedirects(HTTPRedirectHandler):
    """Follows an address to https alone."""

    @override
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check_secure(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(address: str) -> str:
    """Read a text of at most a megabyte within some seconds.

    Raises SpecError with what to do where the address is not https, does not answer in time, or has no such text.
    """
    _check_secure(address)
    try:
        with build_opener(_SecureRedirects).open(address, timeout=SECONDS) as answer:
            return _read(answer).decode("utf-8")
    except HTTPError as error:
        raise _failure(address, f"the server answers {error.code} {error.reason}: check the address") from None
    except UnicodeDecodeError:
        raise _failure(address, "is not UTF-8 text: check the address") from None
    except TimeoutError:
        raise _failure(address, f"no answer within {SECONDS:g} seconds: try again") from None
    except (URLError, OSError, HTTPException, ValueError) as error:
        if isinstance(reason := getattr(error, "reason", error), TimeoutError):
            raise _failure(address, f"no answer within {SECONDS:g} seconds: try again") from None
        what = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise _failure(address, f"cannot be reached ({what}): check the network and the address") from None


def _read(answer: Any) -> bytes:
    """The bytes of an answer, which may come slowly and without an end."""
    read, deadline = bytearray(), time.monotonic() + SECONDS
    while chunk := answer.read1(CHUNK):
        read += chunk
        if len(read) > BYTES:
            raise SpecError(f"{redact.address(answer.url)}: larger than {BYTES:,} bytes: this is no catalogue")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(read)


def _check_secure(address: str) -> None:
    if not address.lower().startswith(SECURE):
        raise _failure(address, f"is not read: take an address that begins with {SECURE}")


def _failure(address: str, what: str) -> SpecError:
    return SpecError(printable(f"{redact.address(address)}: {what}, {OTHERWISE}"))
