"""The families of denial: a call that failed for want of permission, whatever the service names it."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

from trailhound.vocab import tsv

_ROWS = tsv.rows("denials")
_CODE = re.compile("|".join(translate(pattern) for where, pattern, _ in _ROWS if where == "code"), re.IGNORECASE)
_MESSAGE = re.compile("|".join(re.escape(text) for where, text, _ in _ROWS if where == "message"), re.IGNORECASE)
_SIDE = re.compile(r"^(?:Client|Server)\.")


def is_denial(code: str | None, message: str | None) -> bool:
    """A failed sign-in is none: it failed for want of proof, not of permission."""
    return bool((code and _by_code(code)) or (message and _MESSAGE.search(message)))


@lru_cache(4096)
def _by_code(code: str) -> bool:
    return _CODE.match(_SIDE.sub("", code)) is not None
