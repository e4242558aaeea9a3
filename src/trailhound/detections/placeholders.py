"""`%name%` in a rule: what an organisation knows and a log does not say.

Lists come from the settings. `%production_instances%` may also be made from the log itself: by tag, by account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Protocol

import msgspec
from sigma.types import Placeholder as _SigmaPlaceholder  # noqa: F401
