"""The derived tables, in the order in which they stand on each other."""

from __future__ import annotations

from trailhound.identity.activity import ACTIVITY
from trailhound.identity.derive import Derived

DERIVED: tuple[Derived, ...] = (ACTIVITY,)
