"""From a call's shape to the text of a record: constants are filled in once, chance is drawn each time.

A shape is plain data with slots. `$name` or `${name}` inside a string stands for text; a string that is
just `$$name` stands for any value; `{each: list, item: shape}` stands for a list with one item for each
element, which offers its own values and `index`, from 0. What is known when a template is made becomes
part of its text, so that an event costs one `%` and a few draws.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

import msgspec

from trailhound.simulation.identity import Session

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # not the machine's
_UUID_VERSION = 0x4000 << 64 | 0x8000 << 48  # version 4, variant 1
_UUID_CHANCE = ~(0xF000 << 64 | 0xC000 << 48)
_SLOT = re.compile(r'"\$\$(\w+)"|\$\{(\w+)\}|\$([a-z]\w*)')
_TEXT_SLOT = re.compile(r"\$\{(\w+)\}|\$([a-z]\w*)")


class Moment:
    """What one event is made from: its time, its caller, and the source of chance."""

    __slots__ = ("bits", "event_uid", "n", "opened", "pools", "random", "session", "time")

    def __init__(self, rng: Random, pools: dict[str, list[str]] | None = None) -> None:
        self.random = rng.random  # this and getrandbits are the same on every machine and Python
        self.bits = rng.getrandbits
        self.pools = {} if pools is None else pools  # instances that come and go, by name
        self.time = 0  # epoch seconds
        self.n = 0  # the how-manieth of its kind, from 1
        self.event_uid = ""
        self.session: Session
        self.opened: Session  # the session that this event opens


Source = Callable[[Moment], str]  # gives the text for a slot, already escaped for JSON


class Template(NamedTuple):
    """Text with `%s` where something is drawn."""

    text: str
    sources: tuple[Source, ...]
    order: Callable[[list[str]], tuple[str, ...]] | None  # when a slot stands in more than one place

    def render(self, moment: Moment) -> str:
        drawn = [source(moment) for source in self.sources]
        return self.text % (self.order(drawn) if self.order else tuple(drawn))


def template(shape: Any, values: Mapping[str, Any], sources: Mapping[str, Source]) -> Template:
    """Fill `shape` with `values`; what is left is drawn from `sources` or from the built-in ones.

    Raises LookupError with the name of a slot for which there is neither a value nor a source.
    """
    text = msgspec.json.encode(fill(shape, values)).decode().replace("%", "%%")
    names: dict[str, int] = {}
    order: list[int] = []

    def place(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        order.append(names.setdefault(name, len(names)))
        return "%s"

    text = _SLOT.sub(place, text)
    found = tuple(sources.get(name) or _built_in(name) for name in names)
    repeated = len(order) > len(names)
    return Template(text, found, itemgetter(*order) if repeated else None)


def fill(shape: Any, values: Mapping[str, Any]) -> Any:
    """`shape` with every slot replaced whose value is known. A value may have slots of its own."""
    if isinstance(shape, dict):
        if shape.keys() == {"each", "item"}:
            elements = enumerate(values[shape["each"]])
            return [fill(shape["item"], {**values, "index": n, **_member(element)}) for n, element in elements]
        return {key: fill(value, values) for key, value in shape.items()}
    if isinstance(shape, list):
        return [fill(item, values) for item in shape]
    if not isinstance(shape, str) or "$" not in shape:
        return shape
    if shape.startswith("$$"):
        return _value(shape[2:], values, shape)
    return _TEXT_SLOT.sub(lambda slot: str(_value(slot[1] or slot[2], values, slot[0])), shape)


def _value(name: str, values: Mapping[str, Any], otherwise: str) -> Any:
    if name not in values:
        return otherwise
    return fill(values[name], {key: value for key, value in values.items() if key != name})


def _member(element: Any) -> Mapping[str, Any]:
    return element if isinstance(element, dict) else {"id": element}


def choice(options: list[str]) -> Source:
    """Another of the options each time."""
    escaped = [escape(option) for option in options]
    count = len(escaped)
    return lambda moment: escaped[int(moment.random() * count)]


def between(low: int, high: int) -> Source:
    """An integer from `low` to `high`, both included."""
    span = high - low + 1
    return lambda moment: str(low + int(moment.random() * span))


def launch(pool: str) -> Source:
    """The id of a new instance, which joins the pool."""

    def draw(moment: Moment) -> str:
        moment.pools.setdefault(pool, []).append(found := f"i-{moment.bits(68):017x}")
        return found

    return draw


def retire(pool: str) -> Source:
    """The id of the oldest instance of the pool; of one from before the log began when it is empty."""

    def draw(moment: Moment) -> str:
        alive = moment.pools.get(pool)
        return alive.pop(0) if alive else f"i-{moment.bits(68):017x}"

    return draw


def escape(text: str) -> str:
    """As it stands inside a JSON string."""
    return msgspec.json.encode(text).decode()[1:-1]


def iso(seconds: int) -> str:
    """`2020-11-06T03:21:39Z`"""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{_date(days)}T{hour:02}:{minute:02}:{second:02}Z"


@lru_cache(maxsize=1024)
def _date(days: int) -> str:
    return datetime.fromtimestamp(days * 86400, UTC).strftime("%Y-%m-%d")


def _spoken(seconds: int) -> str:
    """`Aug 1, 2020 1:33:28 PM`: how IAM and STS write dates in their answers."""
    moment = datetime.fromtimestamp(seconds, UTC)
    half = "AM" if moment.hour < 12 else "PM"
    return f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {half}"


def _uuid(moment: Moment) -> str:
    digits = f"{moment.bits(128) & _UUID_CHANCE | _UUID_VERSION:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _event_uid(moment: Moment) -> str:
    moment.event_uid = _uuid(moment)
    return moment.event_uid


def _identity(moment: Moment) -> str:
    identities = moment.session.identities
    return identities[0] if len(identities) == 1 else identities[int(moment.random() * len(identities))]


_SOURCES: dict[str, Source] = {
    "time": lambda moment: iso(moment.time),
    "spoken_time": lambda moment: _spoken(moment.time),
    "date": lambda moment: _date(moment.time // 86400),
    "date_path": lambda moment: _date(moment.time // 86400).replace("-", "/"),
    "epoch_ms": lambda moment: str(moment.time * 1000),
    "n": lambda moment: str(moment.n),
    "event_uid": _event_uid,
    "shared_uid": _uuid,
    "request_id": _uuid,
    "s3_request_id": lambda moment: f"{moment.bits(64):016X}",
    "identity": _identity,
    "address": lambda moment: moment.session.address,
    "arn": lambda moment: moment.session.arn,
    "session_name": lambda moment: escape(moment.session.name),
    "opened_name": lambda moment: escape(moment.opened.name),
    "opened_arn": lambda moment: escape(moment.opened.arn),
    "opened_key": lambda moment: moment.opened.key,
    "opened_until": lambda moment: _spoken(moment.opened.ends),
}


def _built_in(name: str) -> Source:
    """The source for a slot by its name. `uuid_2` and `hex17_2` differ from `uuid` and `hex17`."""
    if name in _SOURCES:
        return _SOURCES[name]
    if re.fullmatch(r"uuid(_\d+)?", name):
        return _uuid
    if found := re.fullmatch(r"hex(\d+)(_\d+)?", name):
        digits = int(found[1])
        return lambda moment: f"{moment.bits(digits * 4):0{digits}x}"
    if found := re.fullmatch(r"base64_(\d+)(_\d+)?", name):
        size = int(found[1]) * 3 // 4
        return lambda moment: binascii.b2a_base64(moment.bits(size * 8).to_bytes(size, "big"), newline=False).decode()
    raise LookupError(name)
