"""What an attacker may have written into a log, put into every text of a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_origin, get_type_hints

import msgspec

TEXTS = (
    '<script>document.title="owned"</script>',
    "<img src=x onerror='document.title=\"owned\"'>",
    '"><svg onload=document.title="owned">',
    "' onmouseover='document.title=1' x='",
    '</title></style><script>document.title="owned"</script>',
    "<!--",
    "]]>",
    "&lt;b&gt;&#106;",
    "javascript:document.title=1",
    "](javascript:alert(1))",
    "![pixel](http://evil.example/x.png)",
    "[reference]: http://evil.example",
    "<http://evil.example>",
    "http://evil.example www.evil.example evil@evil.example",
    "`code` ``two`` ```three",
    "```\n# heading\n```",
    "\r\n\r\n# heading\r\n\r\n<b>bold</b>",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "=====",
    "| a | b |\n|---|---|\n| c | d |",
    "*bold* __bold__ ~~gone~~ $x^2$",
    "\\",
    "{{ 7 * 7 }} {% raw %}",
    "[red]rich markup[/red] [link=http://evil.example]x[/link]",
    "\x1b[31mred\x1b]8;;http://evil.example\x07link\x1b[2J",
    "\x9b31m\x00\x08\x7f",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\u2028# heading\u0085",
    "i" * 9_000,
)
HIDDEN = "\x00\x07\x08\x1b\x7f\x85\x9b\u200b\u202e\u2028\u2066\ufeff"


def poisoned(document: Any, poison: str) -> Any:
    """`document` with `poison` before and after each text and key. What stays: closed sets of words, and the name
    by which a chart is looked up. Texts that were equal stay equal, so that the document keeps its shape."""
    if isinstance(document, msgspec.Struct):
        hints = get_type_hints(type(document))
        kept = {
            name for name, hint in hints.items() if get_origin(hint) is Literal or (name == "name" and "marks" in hints)
        }
        changed = {f: poisoned(getattr(document, f), poison) for f in document.__struct_fields__ if f not in kept}
        return msgspec.structs.replace(document, **changed)
    if isinstance(document, tuple | list):
        return type(document)(poisoned(each, poison) for each in document)
    if isinstance(document, dict):
        return {poisoned(key, poison): poisoned(value, poison) for key, value in document.items()}
    return f"{poison}{document}{poison}" if isinstance(document, str) else document


def check_poisoned(document: Any, poison: str) -> None:
    """The guard of the tests themselves: every text carries the poison, but for a few closed sets of words."""
    left = {text for text in texts(document) if poison not in text}
    assert left <= {
        "hours",
        "verified",
        "broken",
        "yes",
        "no",
        "unknown",
        "success",
        "failure",
        "",
        "malicious",
        "high",
        "critical",
        "new",
        "now",
        "today",
        "this week",
        "P1",
        "undetermined",
        "followed",
        "set aside",
        "not followed",
    }


def texts(document: Any) -> Iterator[str]:
    """All texts of a document, and the keys of its free-form parts."""
    if isinstance(document, msgspec.Struct):
        for field in document.__struct_fields__:
            yield from texts(getattr(document, field))
    elif isinstance(document, dict):
        yield from texts((*document.keys(), *document.values()))
    elif isinstance(document, tuple | list):
        for each in document:
            yield from texts(each)
    elif isinstance(document, str):
        yield document
