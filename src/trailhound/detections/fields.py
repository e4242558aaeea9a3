"""What a field name in a rule means: a column of the events table, or a path into the record's JSON.

Raw CloudTrail names (`eventName`, `requestParameters.bucketName`) and our own column paths (`principal_uid`,
`actor.user.uid`) both work, so rules written for CloudTrail run unchanged. `principal`, `session` and `origin` say who:
the user or role, its session, and the identity at the root of the session. `admitted_account` are the accounts, other than
its own, that a policy in the request lets in.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from trailhound.errors import CatalogError
from trailhound.lake.attribution import ATTRIBUTED
from trailhound.ocsf.schema import BY_PATH, BY_SOURCE, RESOURCE_FIELDS

Kind = Literal["text", "number", "boolean", "time", "address", "status", "json", "strings", "resources", "admitted"]

ROW_FIELDS = tuple(f"resource.{name}" for name, _ in RESOURCE_FIELDS)
# Members of a record that hold JSON of their own column: a path below them need not read the whole record.
_JSON_COLUMNS = {"requestParameters": "api.request.data", "responseElements": "api.response.data"}
_KINDS: dict[str, Kind] = {"bigint": "number", "int": "number", "boolean": "boolean", "strings": "strings"}
_UNUSABLE = re.compile(r'["\\\x00-\x1f]')


class Field(msgspec.Struct, frozen=True):
    name: str  # as the rule writes it
    kind: Kind
    columns: tuple[str, ...]  # the events columns it is read from
    keys: tuple[str, ...] = ()  # json: the path below the column; resources: the member

    @property
    def multiple(self) -> bool:
        """It may have several values in one event."""
        return self.kind in ("json", "strings", "resources", "admitted")


_NAMED = {
    "sourceIPAddress": Field("sourceIPAddress", "address", ("src_endpoint.ip", "src_endpoint.domain")),
    "eventTime": Field("eventTime", "time", ("time",)),
    "time_dt": Field("time_dt", "time", ("time",)),
    "status": Field("status", "status", ("status_id",)),
    "principal": Field("principal", "text", ("principal_uid",)),
    "session": Field("session", "text", ("session_uid",)),
    "origin": Field("origin", "text", ("origin_uid",)),
    "admitted_account": Field("admitted_account", "admitted", ("api.request.data", "cloud.account.uid")),
    **{column.path: Field(column.path, "text", (column.path,)) for column in ATTRIBUTED},
}
ADDRESS = Field("src_ip_hex", "text", ("src_ip_hex",))
RECORD = Field("raw_data", "text", ("raw_data",))


def resolve(name: str, *, per_resource: bool) -> Field:
    """`per_resource`: the rule sees one row per event and resource, and so the fields `resource.*` too.

    Raises CatalogError for a name that no record can have. An unknown name is a path into the record that
    happens to be absent.
    """
    if name in ROW_FIELDS:
        if not per_resource:
            raise CatalogError(
                f"the field {name} is there only in rules over resources",
                next_step="add `category: resource` to the logsource, or write `resources` for the list of the event",
            )
        return Field(name, "text", (name,))
    return _NAMED.get(name) or _column(name) or _path(name)


def _column(name: str) -> Field | None:
    head, _, member = name.partition(".")
    if head == "resources" and member in dict(RESOURCE_FIELDS):
        return Field(name, "resources", ("resources",), (member,))
    column = BY_SOURCE.get(name) or (BY_PATH.get(name) if name != "resources" else None)
    return Field(name, _KINDS.get(column.type, "text"), (column.path,)) if column else None


def _path(name: str) -> Field:
    head, _, rest = name.partition(".")
    column, path = (_JSON_COLUMNS[head], rest) if rest and head in _JSON_COLUMNS else ("raw_data", name)
    keys = tuple(path.split("."))
    if not all(keys) or _UNUSABLE.search(path):
        raise CatalogError(
            f"{name!r} is not a field name",
            causes=("an empty part between two dots", "a quote, backslash or control character"),
            next_step="write member names with dots between: requestParameters.bucketName",
        )
    return Field(name, "json", (column,), keys)
