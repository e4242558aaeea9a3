"""Captions of OCSF's numbers, in the version `trailhound.ocsf.schema.OCSF_VERSION` names.

`ocsf.json` is cut from the published schema; a test holds it equal to the schema package's.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

Captions = dict[int, str]


class Class(NamedTuple):
    """One event class: number → caption of its own enums."""

    caption: str
    category_uid: int
    category: str
    activity: Captions
    status: Captions

    def type_name(self, activity_id: int) -> str:
        return f"{self.caption}: {self.activity[activity_id]}"


class _Schema(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    classes: dict[int, Class]
    severity: Captions
    observable: Captions
    user: Captions
    account: Captions


_SCHEMA = msgspec.json.decode((Path(__file__).parent / "ocsf.json").read_bytes(), type=_Schema)

VERSION: str = _SCHEMA.version
CLASSES: dict[int, Class] = _SCHEMA.classes
SEVERITY: Captions = _SCHEMA.severity
OBSERVABLE: Captions = _SCHEMA.observable
USER: Captions = _SCHEMA.user
ACCOUNT: Captions = _SCHEMA.account


def type_uid(class_uid: int, activity_id: int) -> int:
    return class_uid * 100 + activity_id
