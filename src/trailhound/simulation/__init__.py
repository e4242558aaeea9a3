"""Simulation: labelled attack stories over a plausible quiet account, in CloudTrail's own layout.

    story.py     a story as it is written, and its loader
    actors.py    who calls, how sessions are opened            identity.py   userIdentity in its shapes
    calls.py     the shape of every call, from calls.yml       template.py   shape → text of a record
    estate.py    quiet days, from estate.yml and the story     plot.py       the phases of a story
    delivery.py  files in the layout of the bucket             digests.py    signed digests of them
    simulate.py  joins them: from a story to a folder          truth.py      what is true of it all

Everything comes from the story and its seed: no clock, no network, the same bytes on every machine.
"""

from __future__ import annotations

from trailhound.simulation.simulate import simulate
from trailhound.simulation.story import stories
from trailhound.simulation.truth import Truth

__all__ = ["Truth", "simulate", "stories"]
