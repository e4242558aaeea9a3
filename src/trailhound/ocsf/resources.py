"""What an event happened to: every resource named by its `resources`, its request, its response, or its denial.

Where calls name resources, and by which one form each type is known, is data: `vocab/resources.tsv`
and `vocab/resource_types.tsv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct, field

from trailhound.ocsf.record import ABSENT, scalar
from trailhound.vocab import tsv
from trailhound.vocab.aws import MASKS, Arn, is_mask, parse_arn, service_of, undated

_NESTED = (dict, list)
_OBJECT = "AWS::S3::Object"
_MASKED_KEYS = tuple(f"/{mask}" for mask in MASKS)
_MAX_DEPTH = 12  # of the levels looked into for a key; AWS's own parameters have at most about eight
_MAX_LENGTH = 2048  # longer values are no names: an S3 key has at most 1024 bytes, an ARN 2048
_DENIED_KINDS = {
    "user": "AWS::IAM::User",
    "role": "AWS::IAM::Role",
    "group": "AWS::IAM::Group",
    "policy": "AWS::IAM::Policy",
    "instance profile": "AWS::IAM::InstanceProfile",
}


_Meaning = tuple[str, bool]
_Named = tuple[str, _Meaning, str | None]  # what stands there, what it means, owner account


# (uid, name, type, account_uid), as in `schema.RESOURCE_FIELDS`. A plain tuple: a named one takes four times as long
# to make, and there are more of them than events.
Resource = tuple[str, str, str, str | None]


class _Form(NamedTuple):
    """A row of resource_types.tsv."""

    type: str
    service: str
    pattern: re.Pattern[str] | None
    form: str
    word: str  # the first part of the pattern: "user" of `user/...`
    id_prefix: str


class _Plan(NamedTuple):
    """Where to look in one JSON object. Values are (type, only if nothing of that type has been named)."""

    members: dict[str, _Meaning]  # members of the object itself, those of `anywhere` among them
    anywhere: dict[str, _Meaning]  # at any depth
    joined: list[tuple[str, str, _Meaning]]  # two members whose values are joined by "/"
    paths: list[tuple[tuple[str, ...], _Meaning]]


class Plan(NamedTuple):
    """Where the calls of one operation name resources; `None`: not in that part."""

    request: _Plan | None
    response: _Plan | None
    implied: tuple[tuple[str, _Meaning], ...]  # "caller" or "account"


class _Listed(Struct, gc=False):
    """An element of the record's own `resources`."""

    arn: str | None = field(name="ARN", default=None)
    arn_prefix: str | None = field(name="ARNPrefix", default=None)
    account_id: str | None = field(name="accountId", default=None)
    type: str | None = None


_listed = msgspec.json.Decoder(list[_Listed]).decode
_members = msgspec.json.Decoder(list[dict[str, Raw]]).decode


@lru_cache(8192)
def plan(event_source: str | None, operation: str) -> Plan | None:
    """Where to look for resources in calls of this operation; None when the table says nothing of them."""
    call = f"{service_of(event_source)} {undated(operation)}"
    request, response = _Plan({}, {}, [], []), _Plan({}, {}, [], [])
    implied = []
    for pattern, path, meaning in _rows():
        if not pattern.match(call):
            continue
        part, _, rest = path.partition(".")
        into = request if part == "request" else response
        if not rest:
            implied.append((part, meaning))
        elif rest.startswith("."):
            key = rest[1:]
            both = {key: meaning, key[0].upper() + key[1:]: meaning}
            into.anywhere.update(both)
            into.members.update(both)
        elif "/" in rest:
            first, second = rest.split("/")
            into.joined.append((first, second, meaning))
        elif "." in rest:
            into.paths.append((tuple(rest.split(".")), meaning))
        else:
            into.members[rest] = meaning
    found = Plan(request if any(request) else None, response if any(response) else None, tuple(implied))
    return found if any(found) else None


@cache
def _rows() -> tuple[tuple[re.Pattern[str], str, _Meaning], ...]:
    def calls(service: str, operations: str) -> re.Pattern[str]:
        return re.compile("|".join(translate(f"{service} {operation}") for operation in operations.split("|")))

    return tuple(
        (calls(service, operations), path, (kind, when == "else"))
        for service, operations, path, kind, when in tsv.rows("resources")
    )


def extract(
    where: Plan | None,
    request: Any,
    response: Any,
    *,
    listed: Raw,
    denial: str | None,
    account: str,
    partition: str,
    principal: str,
) -> tuple[Resource, ...]:
    """All resources of one event, each once, in the order they are named.

    `request` and `response` are parsed JSON; `denial` is the error message of a denied call, which
    often names the target where the parameters are withheld. `account` received the event.
    """
    named: list[_Named] = [] if listed is ABSENT else _read_listed(listed)
    if where is not None:
        if where.request is not None and isinstance(request, dict):
            _look(where.request, request, named)
        if where.response is not None and isinstance(response, dict):
            _look(where.response, response, named)
        for source, meaning in where.implied:
            if source == "account":
                named.append((account, meaning, None))
            elif ":user/" in principal:
                named.append((principal, meaning, None))
    if denial:
        _look_into_denial(denial, named)
    return _identified(named, account, partition) if named else ()


def _identified(named: list[_Named], account: str, partition: str) -> tuple[Resource, ...]:
    found: dict[tuple[str, str], Resource] = {}
    late, by_arn = [], []
    for value, (kind, last), owner in named:
        if last:
            late.append((value, kind))
        elif kind == _OBJECT and (key := _object_key(value)) is not None:
            if (kind, key) not in found:
                found[kind, key] = (key, key, kind, owner)
        elif (resource := identify(value, kind, account, partition, owner)) is not None:
            found.setdefault((resource[2], resource[0]), resource)
            if resource[0][:4] == "arn:":
                by_arn.append((resource[2], resource[1]))
    for known in by_arn:
        found.pop(known, None)  # the bare name of what the same event has by ARN
    if late:
        types = {kind for kind, _ in found}
        still: list[_Named] = [(value, (kind, False), None) for value, kind in late if kind not in types]
        if still:
            return (*found.values(), *_identified(still, account, partition))
    return tuple(found.values())


def _read_listed(listed: Raw) -> list[_Named]:
    text = bytes(listed)
    if len(text) <= len("null"):
        return []
    try:
        items = _listed(text)
    except (msgspec.DecodeError, RecursionError):
        items = _read_listed_leniently(text)
    named: list[_Named] = []
    for item in items:
        if item.arn:
            named.append((item.arn, (item.type or "", False), item.account_id))
        elif item.arn_prefix and (arn := parse_arn(item.arn_prefix)) and arn.service == "s3":
            # The listing of a prefix acts on the bucket; the prefix is no object.
            named.append((arn.resource.partition("/")[0], ("AWS::S3::Bucket", False), item.account_id))
    return named


def _read_listed_leniently(text: bytes) -> list[_Listed]:
    try:
        items = _members(text)
    except (msgspec.DecodeError, RecursionError):
        return []
    get = {key: [scalar(item[key]) if key in item else None for item in items] for key in ("ARN", "accountId", "type")}
    return [_Listed(arn, None, account, kind) for arn, account, kind in zip(*get.values(), strict=True)]


def _look(where: _Plan, inside: dict[str, Any], named: list[_Named]) -> None:
    members, anywhere = where.members, where.anywhere
    for key, value in inside.items():
        meaning = members.get(key)
        if meaning is None:
            if anywhere and isinstance(value, _NESTED):
                _search(value, anywhere, _MAX_DEPTH, named)
        elif isinstance(value, str):
            named.append((value, meaning, None))
        else:
            named.extend((text, meaning, None) for text in _strings(value, _MAX_DEPTH))
    for key, other, meaning in where.joined:
        first, second = inside.get(key), inside.get(other)
        if isinstance(first, str) and isinstance(second, str) and second:
            named.append((f"{first}/{second}", meaning, None))
    for path, meaning in where.paths:
        named.extend((text, meaning, None) for text in _at(inside, path))


def _search(node: Any, anywhere: dict[str, _Meaning], depth: int, named: list[_Named]) -> None:
    if not depth:
        return
    if isinstance(node, list):
        for item in node:
            _search(item, anywhere, depth - 1, named)
    elif isinstance(node, dict):
        for key, value in node.items():
            meaning = anywhere.get(key)
            if meaning is not None:
                named.extend((text, meaning, None) for text in _strings(value, depth))
            elif isinstance(value, _NESTED):
                _search(value, anywhere, depth - 1, named)


def _at(node: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Strings at a path; lists on the way are walked through."""
    if isinstance(node, list):
        for item in node:
            yield from _at(item, path)
    elif not path:
        yield from _strings(node, _MAX_DEPTH)
    elif isinstance(node, dict):
        yield from _at(node.get(path[0]), path[1:])


def _strings(value: Any, depth: int) -> Iterator[str]:
    """EC2 wraps a value as {"content": "fl-1", "tag": 1}, or in a list of such."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, _NESTED):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item, depth - 1)


def _look_into_denial(message: str, named: list[_Named]) -> None:
    """ "... is not authorized to perform: iam:CreateUser on resource: user alice because no ..." """
    _, _, rest = message.partition(" on resource: ")
    target = rest.partition(" because ")[0].partition(" with an explicit deny")[0].rstrip(".")
    if not target:
        return
    for word, kind in _DENIED_KINDS.items():
        if target.startswith(f"{word} "):
            named.append((target.removeprefix(f"{word} ").split(" version ")[0], (kind, False), None))
            return
    if " " not in target:
        named.append((target, ("", False), None))


def _object_key(value: str) -> str | None:
    """`bucket/key` of an object by ARN or by name; None when there is no key in it.

    Apart from `identify`, for keys do not repeat: remembering them would push out what does.
    """
    key = value.partition(":s3:::")[2] if value[:4] == "arn:" else value.lstrip("/")
    if not 0 < key.find("/") < len(key) - 1 or len(key) > _MAX_LENGTH or key.endswith(_MASKED_KEYS):
        return None
    return key


@lru_cache(16_384)
def identify(value: str, kind: str, account: str, partition: str, owner: str | None) -> Resource | None:
    """The one form by which a resource is known; None when `value` is no name (blank, masked, a wildcard).

    `account` and `partition` are those of the event, for names that IAM knows only within them.
    """
    value = value.strip()
    if not value or len(value) > _MAX_LENGTH or value == "*" or is_mask(value):
        return None
    if value[:6].lower() == "arn%3a":
        value = unquote(value)
    arn = parse_arn(value)
    if arn is not None:
        return _from_arn(value, arn, kind, owner)
    if kind == _OBJECT:
        return None
    form = _forms().by_type.get(kind) if kind else _by_id(value)
    kind = kind or (form.type if form else "")
    if kind == "AWS::Organizations::Account":
        return value, value, kind, value
    if form is not None and form.form == "iam" and account:
        return _iam_arn(form, partition, account, value), value, kind, account
    return value, value, kind, owner


def _from_arn(value: str, arn: Arn, kind: str, owner: str | None) -> Resource | None:
    account = owner or (arn.account if arn.account != "aws" else None) or None  # "aws" owns the managed policies
    for form in _forms().by_service.get(arn.service, ()):
        match = form.pattern.match(arn.resource) if form.pattern else None
        if match is None:
            continue
        if form.form == "id":
            uid = match[1]
        elif form.form == "iam":
            uid = _iam_arn(_forms().by_type[form.type], arn.partition, arn.account, match[1])
        else:
            uid = value[: len(value) - len(arn.resource)] + match[0]
        return None if "*" in uid and form.type != _OBJECT else (uid, match[1], form.type, account)
    # A wildcard, or an ARN that ends in its separator, names a kind of thing and not a thing.
    if "*" in value or value.endswith(("/", ":")):
        return None
    return (value, re.split("[/:]", value)[-1], kind, account)


def _iam_arn(form: _Form, partition: str, account: str, name: str) -> str:
    return f"arn:{partition}:iam::{account}:{form.word}/{name}"


class _Forms(NamedTuple):
    by_type: dict[str, _Form]
    by_service: dict[str, tuple[_Form, ...]]
    by_id_prefix: dict[str, _Form]


@cache
def _forms() -> _Forms:
    forms = [
        _Form(kind, service, re.compile(pattern) if pattern else None, form, pattern.partition("/")[0], id_prefix)
        for kind, service, pattern, form, id_prefix in tsv.rows("resource_types")
    ]
    by_type: dict[str, _Form] = {}
    by_service: dict[str, tuple[_Form, ...]] = {}
    for form in forms:
        by_type.setdefault(form.type, form)
        by_service[form.service] = (*by_service.get(form.service, ()), form)
    return _Forms(by_type, by_service, {form.id_prefix: form for form in forms if form.id_prefix})


def _by_id(value: str) -> _Form | None:
    """`vol-0abc` → the form of volumes."""
    prefix, _, _ = value.rpartition("-")
    return _forms().by_id_prefix.get(f"{prefix}-")
