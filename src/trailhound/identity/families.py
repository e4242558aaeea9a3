"""Several principals that are one actor: roles whose names differ in a number only.

A family is read off the ARN alone, so no later event can change it. It is a name, not a proof: whoever may
create roles may give one the name of a family.
"""

from __future__ import annotations

from trailhound.engines.dialect import literal

_ROLE = r"^arn:[a-z0-9-]+:iam::[^:]*:role/"

# (what is a number in the name of a role, what stands for it): RE2, in this order.
_NUMBERS = (
    (r"(/AWSReservedSSO_.+)_[0-9a-f]{16}$", r"\1_*"),  # Identity Center: permission set and hash
    (r"([-_.])[0-9a-f]{8,64}([-_.]|$)", r"\1*\2"),  # commit, build, random suffix
    (r"-[A-Z0-9]{12,13}$", "-*"),  # CloudFormation: at random
    (r"([-_.])[0-9]+([-_.]|$)", r"\1*\2"),  # ci-17, team-07-deploy
    (r"([-_.])[0-9]+([-_.]|$)", r"\1*\2"),  # again: a match ends where the next would begin
)


def family(uid: str) -> str:
    """SQL of the family of a principal (an SQL expression): for a role its ARN with `*` for each number, else the uid."""
    named = uid
    for pattern, replacement in _NUMBERS:
        named = f"regexp_replace({named}, {literal(pattern)}, {literal(replacement)}, 'g')"
    return f"CASE WHEN regexp_matches({uid}, {literal(_ROLE)}) THEN {named} ELSE {uid} END"
