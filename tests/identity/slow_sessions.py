"""A slow, plain reading of the same records: loops over lists, one session after the other, no SQL.

It follows docs/how-to/find-who-it-really-was.md and shares with the product only the events table's columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from tests.identity.slow_acts import issuing, role_of
from tests.identity.slow_center import Center, is_reserved, name_of

from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

Row = dict[str, Any]
STRENGTH = ["certain", "likely", "possible", "broken"]


def sessions(records: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """(uid, principal) → what is known of a session."""
    return _Reading([json.loads(json.dumps(record)) for record in records]).result()


def stated(node: Row) -> str:
    """The sourceIdentity of a session, by its own records or by the call that opened it."""
    return node["source_identity"] or (node.get("act") or {}).get("source_identity") or ""


class _Reading:
    def __init__(self, records: Sequence[Row]) -> None:
        batch = normalize(Record(msgspec.json.encode(one), "s", n) for n, one in enumerate(records))
        self.events = []
        for n, record in enumerate(records):
            row = {path: values[n] for path, values in batch.columns.items()}
            row["record"] = record
            row["session"] = self.session_uid(row)
            self.events.append(row)
        self.accounts = {row["cloud.account.uid"] for row in self.events}
        self.users: dict[str, set[str]] = {}
        for row in self.events:
            known = row["actor.user.uid_alt"] or ""
            if row["actor.user.type"] == "IAMUser" and known and ":" not in known:
                self.users.setdefault(known, set()).add(row["principal_uid"])
        self.acts = issuing(self.events)
        self.nodes = self.read_nodes()

    def session_uid(self, row: Row) -> str | None:
        key = row["actor.user.credential_uid"]
        if key and key[:4] in ("AKIA", "ACCA"):
            return None
        return key or self.begun(row)

    def begun(self, row: Row) -> str | None:
        who, created = row["actor.user.uid_alt"], row["actor.session.created_time"]
        return f"{who}@{created}" if who and created is not None else None

    def read_nodes(self) -> dict[tuple[str, str], Row]:
        grouped: dict[tuple[str, str], list[Row]] = {}
        for row in sorted(self.events, key=lambda one: (one["time"], one["metadata.uid"])):
            if row["session"]:
                grouped.setdefault((row["session"], row["principal_uid"]), []).append(row)
        return {key: self.node(key, rows) for key, rows in grouped.items()}

    def node(self, key: tuple[str, str], rows: list[Row]) -> Row:
        def least(values: Iterable[Any]) -> Any:
            return min((value for value in values if value is not None), default=None)

        heads: dict[Any, Row] = {}
        for row in rows:
            heads.setdefault((row["event_day"], self.begun(row) or row["session"]), row)
        behalf = {(row["record"]["userIdentity"].get("onBehalfOf") or {}).get("userId") for row in heads.values()} - {
            None
        }
        contexts = [row["record"]["userIdentity"].get("sessionContext") or {} for row in heads.values()]
        via = []
        for head, context in zip(heads.values(), contexts, strict=True):
            if "ec2RoleDelivery" in context:
                via.append("instance")
            elif context.get("assumedRoot") == "true":
                via.append("assumed_root")
            elif head["record"].get("sessionCredentialFromConsole") == "true":
                via.append("console")
        created = {row["actor.session.created_time"] for row in rows} - {None}
        return {
            "uid": key[0],
            "principal": key[1],
            "sitting": least(self.begun(row) or row["session"] for row in rows),
            "key": least(row["actor.user.credential_uid"] for row in rows),
            "id": least(row["actor.user.uid_alt"] for row in rows),
            "account": least(row["actor.user.account.uid"] for row in rows),
            "type": least(row["actor.user.type"] for row in rows),
            "issuer": least(row["actor.session.issuer"] for row in rows),
            "source_identity": least(context.get("sourceIdentity") for context in contexts),
            "behalf": least(behalf),
            "via": least(via),
            "created": least(created),
            "first": rows[0]["time"],
            "last": rows[-1]["time"],
            "calls": len(rows),
            "contradictory": len(created) > 1
            or len({row["actor.user.uid_alt"] for row in rows} - {None}) > 1
            or len(behalf) > 1,
        }

    # How each session was opened

    def result(self) -> dict[tuple[str, str], Row]:
        for step in (self.by_key, self.by_token, self.by_sign_in, self.by_portal, self.by_record):
            self.apply(step)
        self.add_unused()
        for node in self.nodes.values():
            self.find_caller(node)
        self.find_persons()
        self.climb()
        while self.mend():
            self.climb()
        return self.nodes

    def apply(self, step: Callable[[Row], None]) -> None:
        """A step sees only sessions that no earlier one explained."""
        self.waiting = [node for node in self.nodes.values() if "established" not in node]
        for node in self.waiting:
            step(node)

    def same_principal(self, node: Row, act: Row) -> bool:
        return act["principal"] is None or act["principal"] == node["principal"]

    @staticmethod
    def caller(act: Row) -> tuple[Any, ...]:
        return (act["by"], act["by_key"], act["by_principal"], act["by_id"])

    def establish(self, node: Row, act: Row | None, how: str, confidence: str) -> None:
        node.update(act=act, established=how, own=confidence)

    def by_key(self, node: Row) -> None:
        issuing = [act for act in self.acts if act["key"] is not None and act["key"] == node["uid"]]
        fitting = [act for act in issuing if self.same_principal(node, act)]
        if not fitting:
            return
        full = {self.caller(act) for act in issuing if act["by_type"] != "AWSAccount"}
        short = {act["by_id"] for act in issuing if act["by_type"] == "AWSAccount"} - {None}
        begun = node["created"] if node["created"] is not None else node["first"]
        act = min(fitting, key=lambda one: (one["by_type"] == "AWSAccount", abs(one["time"] - begun), one["event"]))
        doubt = (
            node["contradictory"]
            or max(len(full), len(short)) > 1
            or (node["created"] is not None and abs(act["time"] - node["created"]) > 5000)
            or node["first"] < act["time"] - 5000
        )
        self.establish(node, act, "issued_key", "possible" if doubt else "certain")

    def near(self, node: Row, acts: Iterable[Row]) -> list[Row]:
        if node["created"] is None or node["id"] is None:
            return []
        return [
            act
            for act in acts
            if act["id"] == node["id"] and self.same_principal(node, act) and abs(act["time"] - node["created"]) <= 2000
        ]

    def itself(self, node: Row) -> bool:
        return node["type"] in ("IAMUser", "IdentityCenterUser") or (
            node["type"] == "Root" and node["via"] != "assumed_root"
        )

    def by_token(self, node: Row) -> None:
        self.nearest(node, [act for act in self.acts if act["operation"] not in ("ConsoleLogin", "SwitchRole")])

    def by_sign_in(self, node: Row) -> None:
        self.nearest(node, [act for act in self.acts if act["operation"] in ("ConsoleLogin", "SwitchRole")])

    def nearest(self, node: Row, acts: list[Row]) -> None:
        fitting = self.near(node, acts)
        if not fitting:
            return
        act = min(fitting, key=lambda one: (abs(one["time"] - node["created"]), one["event"]))
        how = {"ConsoleLogin": "console_sign_in", "SwitchRole": "switch_role"}.get(act["operation"], "session_created")
        doubt = node["contradictory"]
        if node["via"] != "console":
            doubt |= act["key"] is not None and node["key"] is not None
            if how == "session_created":
                rivals = [one for one in self.waiting if act in self.near(one, acts)]
                doubt |= len(rivals) > 1
        doubt |= len({self.caller(one) for one in fitting}) > 1
        self.establish(node, act, how, "certain" if self.itself(node) else "possible" if doubt else "likely")

    def by_portal(self, node: Row) -> None:
        if node["type"] != "IdentityCenterUser":
            return
        fitting = [
            act
            for act in self.acts
            if act["operation"] == "UserAuthentication"
            and act["by_id"] == node["id"]
            and node["first"] - 12 * 3_600_000 <= act["time"] <= node["first"] + 2_000
        ]
        if fitting:
            act = min(fitting, key=lambda one: (one["by_key"] != node["uid"], -one["time"], one["event"]))
            self.establish(node, act, "identity_center_sign_in", "certain")

    def by_record(self, node: Row) -> None:
        name, issuer = (node["id"] or "").partition(":")[2], node["issuer"] or ""
        by = root = None
        if self.itself(node):
            how, confidence, by = "own_identity", "certain", node["principal"]
        elif node["type"] == "FederatedUser" and issuer:
            how, confidence, by = "session_issuer", "certain", role_of(issuer)
        elif node["via"] == "instance":
            how, confidence, by, root = "instance_profile", "certain", "ec2.amazonaws.com", name
        elif ":role/aws-service-role/" in issuer:
            how, confidence = "service_linked_role", "certain"
            by = issuer.split(":role/aws-service-role/")[1].split("/")[0]
        elif ":role/aws-reserved/sso.amazonaws.com/" in issuer:
            how, confidence = "identity_center", "certain"
        elif node["behalf"]:
            how, confidence = "on_behalf_of", "likely"
            by = f"arn:{node['principal'].split(':')[1]}:identitystore:::user/{node['behalf']}"
        elif node["type"] == "AssumedRole" and re.fullmatch("i-[0-9A-Za-z]{8,17}", name):
            how, confidence, by, root = "instance_name", "possible", "ec2.amazonaws.com", name
        else:
            return
        self.establish(node, None, how, confidence)
        node.update(by=by, root=root or by)

    def add_unused(self) -> None:
        used = {node["act"]["event"] for node in self.nodes.values() if node.get("act")}
        opened: dict[tuple[str, str], list[Row]] = {}
        for act in self.acts:
            uid = act["key"] or (f"{act['id']}@{act['time']}" if act["id"] else None)
            if act["event"] in used or not uid or not act["principal"]:
                continue
            if (uid, act["principal"]) not in self.nodes:
                opened.setdefault((uid, act["principal"]), []).append(act)
        for (uid, principal), acts in opened.items():
            act = min(acts, key=lambda one: one["event"])
            names = {"ConsoleLogin": "console_sign_in", "SwitchRole": "switch_role"}
            how = "issued_key" if act["key"] else min(names.get(a["operation"], "session_created") for a in acts)
            self.nodes[uid, principal] = {
                "uid": uid, "principal": principal, "key": act["key"], "id": act["id"], "first": None, "last": None,
                "sitting": f"{act['id']}@{act['time']}" if act["id"] else uid, "account": (principal.split(":")[4:5] or [""])[0],
                "type": None, "issuer": act["role"], "behalf": None, "source_identity": act["source_identity"], "via": None,
                "created": act["time"], "calls": 0, "contradictory": False,
            }  # fmt: skip
            doubt = len({self.caller(one) for one in acts}) > 1
            self.establish(self.nodes[uid, principal], act, how, "possible" if doubt else "certain")

    # Who opened it

    def find_caller(self, node: Row) -> None:
        act = node.get("act")
        node.update(parent=None, unseen=False, candidates=[])
        node["missing"] = "established" not in node
        if node["missing"] or act is None:
            node.setdefault("by", None)
            return
        unnamed = act["by_type"] == "AWSAccount" and len(self.users.get(act["by_id"], ())) != 1
        by, sought = self.who_asked(act, unnamed=unnamed), self.sought(act)
        node["by"] = by[1]
        node["unseen"] = unnamed and act["by_account"] not in self.accounts
        alive = [one for one in sought or () if self.alive(one, act["time"]) and one["sitting"] != node["sitting"]]
        node["candidates"] = sorted(alive, key=lambda one: (-one["created"], one["uid"], one["principal"]))
        if by[0] and by[0] != node["uid"]:
            node["parent"] = by
        elif len({one["sitting"] for one in node["candidates"]}) == 1 and not node["unseen"]:
            self.adopt(node, node["candidates"])
        unsure = unnamed or by[0] == node["uid"] or sought is not None
        node["missing"] = unsure and node["parent"] is None
        if unsure and node["own"] == "certain":
            node["own"] = "likely"

    def find_persons(self) -> None:
        reserved = [node for node in self.nodes.values() if is_reserved(node)]
        Center(self.acts).tell(reserved)
        for node in reserved:
            session, principal, node["told"], confidence = node["person"]
            node.update(by=principal, root=None, candidates=[], parent=(session, principal) if session else None)
            node["own"] = "possible" if node["own"] == "possible" else confidence

    def who_asked(self, act: Row, *, unnamed: bool) -> tuple[str | None, str]:
        if act["from"]:
            return None, role_of(act["from"])
        if act["by_type"] == "AWSAccount" and not unnamed:
            return act["by"], next(iter(self.users[act["by_id"]]))
        return act["by"], act["by_principal"]

    def sought(self, act: Row) -> list[Row] | None:
        """Sessions that the caller may have been, where the act names no more than an id or a name."""
        if act["from"]:
            name, role = act["from"].split("/", 2)[2], role_of(act["from"])
            named = [node for node in self.nodes.values() if node["principal"] == role and name_of(node) == name]
            return named if ":assumed-role/" in act["from"] else None
        by_id = act["by_id"] or ""
        if act["by"] is None and act["by_type"] in ("AWSAccount", "AssumedRole") and ":" in by_id:
            return [node for node in self.nodes.values() if node["id"] == by_id]
        return None

    def alive(self, node: Row, at: int) -> bool:
        if node["created"] is None or node["created"] > at + 2000:
            return False
        until = (node.get("act") or {}).get("expires") or node["created"] + 12 * 3_600_000
        return max(until, node["last"] or 0) >= at - 2000

    def adopt(self, node: Row, candidates: list[Row]) -> None:
        latest = candidates[0]
        node["parent"] = (latest["uid"], latest["principal"])

    # Up to the root

    def climb(self) -> None:
        for node in self.nodes.values():
            path, above, worst, seen = 1, node, 0, set()
            while True:
                key = (above["uid"], above["principal"])
                if key in seen:
                    path = 0
                    break
                seen.add(key)
                worst = max(worst, 3 if above["missing"] else STRENGTH.index(above["own"]))
                if above["parent"] is None:
                    break
                above, path = self.nodes[above["parent"]], path + 1
            if not path:
                node.update(origin=node["principal"], rank=3, depth=0, circle=True)
                continue
            origin = above.get("root") or above["by"] or above["principal"]
            if not above.get("root") and above["by"] == "ec2.amazonaws.com" and name_of(above).startswith("i-"):
                origin = name_of(above)
            unknown = above["missing"] and not (above.get("act") or {}).get("by_id") and "person" not in above
            depth = path - 1 if unknown else path
            node.update(origin=origin, rank=worst, depth=depth, circle=False)

    def mend(self) -> bool:
        mended = False
        for node in self.nodes.values():
            if node["missing"] and node["candidates"] and not node["unseen"]:
                origins = {one["origin"] for one in node["candidates"] if not one["circle"]}
                if len(origins) == 1 and all(one["rank"] < 3 for one in node["candidates"]):
                    self.adopt(node, node["candidates"])
                    node.update(missing=False, own="likely")
                    mended = True
        by_identity: dict[str, set[str]] = {}
        for node in self.nodes.values():
            if stated(node) and node["rank"] < 2:
                by_identity.setdefault(stated(node), set()).add(node["origin"])
        for node in self.nodes.values():
            origins = by_identity.get(stated(node), set())
            if node["missing"] and len(origins) == 1:
                origin = next(iter(origins))
                node.update(missing=False, own="likely", established="source_identity", by=origin, root=origin)
                mended = True
        return mended
