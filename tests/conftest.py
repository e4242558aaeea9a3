"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from trailhound.limits import Limits, enforced


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real records of emulated attacks. They are not part of the project, so their absence is a plain skip."""
    root = Path(os.environ.get("TRAILHOUND_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not root.is_dir():
        pytest.skip(f"the data set of real attack records is not at {root}; set TRAILHOUND_SHARED to run this test")
    return root


# How long one example takes says more about the machine than about the code.
settings.register_profile("trailhound", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trailhound")


@pytest.fixture
def limited() -> Iterator[Callable[..., None]]:
    """Puts limits into force until the end of the test: `limited(record_bytes=1000)`."""
    with ExitStack() as stack:
        yield lambda **chosen: stack.enter_context(enforced(Limits(**chosen)))
