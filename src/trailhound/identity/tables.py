"""The derived tables, in the order in which they stand on each other."""

from __future__ import annotations

from trailhound.identity.activity import ACTIVITY
from trailhound.identity.credentials import CREDENTIALS
from trailhound.identity.derive import Derived
from trailhound.identity.issues import ISSUES
from trailhound.identity.observables import OBSERVABLES
from trailhound.identity.principals import PRINCIPALS
from trailhound.identity.sessions import SESSIONS

DERIVED: tuple[Derived, ...] = (
    CREDENTIALS,
    ISSUES,
    SESSIONS,
    ACTIVITY,
    PRINCIPALS,
    OBSERVABLES,
)
