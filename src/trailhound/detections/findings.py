"""Members of findings → `model.Finding`: who, when, from where, on what, and one line that says so."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import arro3.core as ac
import msgspec

from trailhound.detections.candidates import CANDIDATES
from trailhound.detections.rules import Correlation, Rule
from trailhound.detections.windows import MEMBERS
from trailhound.engines.dialect import identifier
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.lake import arrow
from trailhound.lake.tables import FINDINGS
from trailhound.model import LEVELS, Finding, Resource

TEMPLATE_NAMES = ("principal", "count", "window", "resources", "account", "operation", "ip")

_SUCCESS = 1  # OCSF status_id
_NAMED = 3  # of a list in a title
_LONGEST = 200  # of one value in a title: the log's text is the attacker's
_NAME = re.compile(r"\{([^{}]*)\}")
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_UNITS = ((86_400_000, "day", "days"), (3_600_000, "h", "h"), (60_000, "min", "min"), (1000, "s", "s"))


def check_template(template: str) -> None:
    for name in _NAME.findall(template):
        if name not in TEMPLATE_NAMES:
            known = ", ".join(f"{{{each}}}" for each in TEMPLATE_NAMES)
            raise CatalogError(f"the title has {{{name}}}, which stands for nothing", next_step=f"there are {known}")


def as_table(found: Sequence[Finding]) -> ac.Table:
    """Findings as rows of their table; the status is the journal's, not theirs."""
    return arrow.table(FINDINGS, {column.path: [_stored(one, column.path) for one in found] for column in FINDINGS})


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Findings of rows of their table."""
    decode = msgspec.json.decode
    return msgspec.convert(
        [{**row, "analysis": decode(row["analysis"]) if row.get("analysis") else None} for row in rows], list[Finding]
    )


def _stored(finding: Finding, name: str) -> Any:
    value = getattr(finding, name)
    if name == "analysis":
        return msgspec.json.encode(value).decode() if value else None
    return [(r.uid, r.uid, r.type, None) for r in value] if name == "resources" else value


def findings(engine: DuckDB, rules: Mapping[int, Rule]) -> list[Finding]:
    """Most severe first, then oldest first. `rules`: by their number in MEMBERS."""
    # Rows of one event differ by their resource: without it, names and types would each come in an order of their own.
    order = "ORDER BY time, " + ", ".join(map(identifier, ("metadata.uid", "resource.uid", "resource.type")))
    lists = {
        "uids": "metadata.uid",
        "times": "time",
        "principals": "principal_uid",
        "accounts": "cloud.account.uid",
        "regions": "cloud.region",
        "ips": "src_endpoint.ip",
        "operations": "api.operation",
        "outcomes": "status_id",
        "touched": "resource.uid",
        "kinds": "resource.type",
    }
    listed = ", ".join(f"list({identifier(path)} {order}) AS {name}" for name, path in lists.items())
    shown = ", ".join(str(number) for number, rule in rules.items() if rule.output) or "NULL"
    rows = engine.query(
        f"SELECT rule, max(counted) AS counted, max(grp) AS grp, {listed}, "
        f"list(CASE WHEN {identifier('resource.uid')} IS NULL THEN resources END {order}) AS resources "
        f"FROM {MEMBERS} JOIN {CANDIDATES} USING (row) WHERE rule IN ({shown}) GROUP BY rule, finding"
    )
    built = [_finding(rules[row["rule"]], row) for row in rows]
    return sorted(built, key=rank)


def rank(finding: Finding) -> tuple[int, int, str, str]:
    """Most severe first, then oldest first."""
    return (-LEVELS.index(finding.level), finding.first_seen_time, finding.rule_uid, finding.uid)


def _finding(rule: Rule, row: Mapping[str, Any]) -> Finding:
    correlation = rule.logic if isinstance(rule.logic, Correlation) else None
    uids = tuple(dict.fromkeys(row["uids"]))
    resources = _resources(row)
    principal = _most(row["principals"])
    account = _most(row["accounts"])
    operations = _distinct(row["operations"])
    ips = _distinct(row["ips"])
    first, last = row["times"][0], row["times"][-1]
    by_itself = len(resources) if rule.per_resource else len(uids)
    count = by_itself if row["counted"] is None else round(row["counted"])
    window = correlation.timespan_ms if correlation else None
    facts = {
        "principal": plain(principal_name(principal)) or "someone",
        "count": str(count),
        "window": span(window if window is not None else last - first),
        "resources": some(_targets(resources)) or "nothing named",
        "account": plain(account),
        "operation": some(operations),
        "ip": some(ips) or "no address",
    }
    title = _NAME.sub(lambda name: facts[name[1]], rule.template) if rule.template else rule.title
    refused = rule.attempt is not None and _SUCCESS not in row["outcomes"]
    return Finding(
        uid=_uid(rule, row["grp"], uids[0]),
        rule_uid=rule.uid,
        rule_title=rule.title,
        rule_kind=rule.kind,
        level=rule.attempt if refused and rule.attempt else rule.level,
        title=("Refused: " if refused else "") + title,
        desc=rule.description,
        attacks=techniques(rule.tags),
        first_seen_time=first,
        last_seen_time=last,
        event_uids=uids,
        count=count,
        threshold=_threshold(correlation) if correlation else None,
        window_ms=window,
        principal_uid=principal,
        principal_name=principal_name(principal),
        account_uid=account,
        regions=_distinct(row["regions"]),
        src_ips=ips,
        operations=operations,
        resources=resources,
        falsepositives=rule.falsepositives,
        references=rule.references,
        tags=rule.tags,
        rule_author=rule.author,
        rule_license=rule.license,
        rule_status=rule.status,
        rule_date=rule.date,
    )


def _uid(rule: Rule, group: Sequence[str | None], first_event: str) -> str:
    text = "\x1f".join([rule.uid, *(value or "" for value in group), first_event])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _resources(row: Mapping[str, Any]) -> tuple[Resource, ...]:
    """Of a rule over resources those that it matched; of any other all that its events name."""
    found: dict[str, str] = {}
    for uid, kind in zip(row["touched"], row["kinds"], strict=True):
        if uid is not None:
            found.setdefault(uid, kind or "")
    for named in row["resources"]:
        for resource in named or ():
            if resource["uid"] is not None:
                found.setdefault(resource["uid"], resource["type"] or "")
    return tuple(Resource(uid=uid, type=kind) for uid, kind in found.items())


def _targets(resources: Sequence[Resource]) -> list[str]:
    """What it happened to: the document of a command is how, not what, where it names something else as well."""
    targets = [resource.uid for resource in resources if resource.type != "AWS::SSM::Document"]
    return targets or [resource.uid for resource in resources]


def _threshold(correlation: Correlation) -> int | None:
    """The least number that fires, where there is one; otherwise the number as the rule has it."""
    if not correlation.thresholds:
        return None
    threshold = correlation.thresholds[0]
    return int(threshold.number) + 1 if threshold.operator == "gt" else int(-(-threshold.number // 1))


def _most(values: Iterable[str | None]) -> str:
    """The commonest; of equals the first of the alphabet, so that it does not depend on chance."""
    counted = Counter(value for value in values if value is not None)
    return min(counted, key=lambda value: (-counted[value], value), default="")


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def principal_name(uid: str) -> str:
    """alice for arn:aws:iam::111122223333:user/alice; `root` for root; the uid itself where there is no ARN."""
    if not uid.startswith("arn:"):
        return uid
    resource = uid.split(":", 5)[-1]
    return resource.rsplit("/", 1)[-1]


def span(milliseconds: int) -> str:
    """5 min, 1 h, 90 s, 7 days: the largest unit that divides it."""
    for size, one, many in _UNITS:
        if milliseconds >= size and milliseconds % size == 0:
            number = milliseconds // size
            return f"{number} {one if number == 1 else many}"
    return f"{milliseconds / 1000:g} s"


def techniques(tags: Iterable[str]) -> tuple[str, ...]:
    """T1562.008 for attack.t1562.008; other tags name none."""
    return tuple(dict.fromkeys(found[1].upper() for tag in tags if (found := _TECHNIQUE.fullmatch(tag))))


def number(value: float) -> str:
    """1,234; 12.4 million; whole below a million."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{round(value):,}"


def some(values: Sequence[str]) -> str:
    """The first few of a list, each fit for a line, and how many more there are."""
    named = [plain(value) for value in values[:_NAMED]]
    more = len(values) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def plain(text: str) -> str:
    """One line of bounded length, without characters that steer a terminal or turn the reading direction."""
    kept = "".join(character if unicodedata.category(character)[0] != "C" else "�" for character in text)
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"
