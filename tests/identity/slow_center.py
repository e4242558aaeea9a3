"""Who stands behind the sessions of Identity Center's roles, read plainly: part of the slow reading of sessions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
SIGN_INS, HANDING_OUT = ("UserAuthentication", "CredentialVerification"), ("GetRoleCredentials", "Federate")
HOURS_12 = 12 * 3_600_000


def is_reserved(node: Row) -> bool:
    operation = (node.get("act") or {}).get("operation")
    return (
        ":role/aws-reserved/sso.amazonaws.com/" in (node["issuer"] or "")
        and "established" in node
        and operation in (None, "AssumeRoleWithSAML", "ConsoleLogin")
    )


class Center:
    """What is known of the users of Identity Center, and of what they did there."""

    def __init__(self, acts: Iterable[Row]) -> None:
        self.calls = [act for act in acts if act["operation"] in (*SIGN_INS, *HANDING_OUT)]
        self.principals: dict[str, set[str]] = {}
        self.names: dict[str, set[str]] = {}
        for call in self.calls:
            if user := self.user_id(call):
                self.principals.setdefault(user, set()).add(call["by_principal"])
                self.names.setdefault(user, set()).update({(call["by_name"] or "").lower()} - {""})

    @staticmethod
    def user_id(call: Row) -> str | None:
        return call["by_id"] if call["by_id"] and call["by_id"] != (call["by_account"] or "") else None

    def person(self, call: Row) -> str:
        known = self.principals.get(self.user_id(call) or "", {call["by_principal"]})
        return min(known, key=lambda one: (not one.startswith("arn:"), one))

    def names_of(self, call: Row) -> set[str]:
        return self.names.get(self.user_id(call) or "", {(call["by_name"] or "").lower()} - {""})

    def handed_out(self, node: Row, call: Row) -> bool:
        if call["operation"] not in HANDING_OUT or call["for"][0] != node["account"] or node["created"] is None:
            return False
        before = 60_000 if call["operation"] == "Federate" else 2_000
        role = node["principal"].split(":", 5)[-1]
        fits = re.fullmatch(f"role/AWSReservedSSO_{re.escape(call['for'][1] or '')}_.{{16}}", role, re.DOTALL)
        if (
            not fits
            or call["for"][1] is None
            or not node["created"] - before <= call["time"] <= node["created"] + 2_000
        ):
            return False
        if node["behalf"]:
            return self.user_id(call) == node["behalf"]
        return not self.names_of(call) or name_of(node).lower() in self.names_of(call)

    def tell(self, nodes: Sequence[Row]) -> None:
        """Give each of these nodes `person`: (session at the portal, principal, event, confidence); missing: no event."""
        handed = [(node, [call for call in self.calls if self.handed_out(node, call)]) for node in nodes]
        for node, calls in handed:
            tiers = {2 if name_of(node).lower() in self.names_of(call) else 3 for call in calls}
            best = [call for call in calls if node["behalf"] or not self.names_of(call) or 2 in tiers]
            if 2 in tiers and not node["behalf"]:
                best = [call for call in best if self.names_of(call)]
            nameless = tiers == {3} and not node["behalf"]
            sharing = {name_of(one) for one, others in handed if best and nearest(node, best) in others}
            doubt = len({self.person(call) for call in best}) > 1 or (nameless and len(sharing) > 1)
            confidence = "possible" if doubt else "likely"
            if not best and not node["behalf"]:
                best, confidence = self.signed_in(node), "possible"
            if node["behalf"]:
                confidence = "certain"
            self.give(node, nearest(node, best) if best else None, "possible" if node["contradictory"] else confidence)

    def signed_in(self, node: Row) -> list[Row]:
        centers = {call["account"] for call in self.calls if call["for"][0] == node["account"]}
        bearing = [
            call for call in self.calls if call["account"] in centers and name_of(node).lower() in self.names_of(call)
        ]
        if len({self.person(call) for call in bearing}) != 1 or node["created"] is None:
            return []
        return [call for call in bearing if node["created"] - HOURS_12 <= call["time"] <= node["created"] + 2_000]

    def give(self, node: Row, call: Row | None, confidence: str) -> None:
        named = (
            f"arn:{node['principal'].split(':')[1]}:identitystore:::user/{node['behalf']}" if node["behalf"] else None
        )
        if call and call["by"]:
            principal = call["by_principal"]
        else:
            principal = named or (self.person(call) if call else f"sso.amazonaws.com:{name_of(node)}")
        node["person"] = (call and call["by"], principal, call and call["event"], confidence)
        node["missing"] = not call and not named


def nearest(node: Row, calls: list[Row]) -> Row:
    return min(calls, key=lambda call: (abs(call["time"] - node["created"]), call["event"]))


def name_of(node: Row) -> str:
    return (node["id"] or "").partition(":")[2] or (node["id"] or "")
