"""A finding as the world knows it: an OCSF Detection Finding (2004); an incident: an Incident Finding (2005)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trailhound import __version__
from trailhound.model import Analysis, Finding, Incident, Level, Risk
from trailhound.ocsf.schema import OCSF_VERSION
from trailhound.vocab import attack, ocsf

CLASS_UID, _INCIDENT_UID = 2004, 2005
_SEVERITY: dict[Level, int] = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_STATUS = {"new": 1, "suppressed": 3, "closed": 4}
_INCIDENT_STATUS = {"new": 1, "suppressed": 3, "closed": 5}
_RISK: dict[Level, int] = {"informational": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
_CREATE = 1
_RULE, _STATISTICAL = (1, "Rule"), (3, "Statistical")
_IP, _USER_UID, _RESOURCE_UID = 2, 31, 10


def document(finding: Finding) -> dict[str, Any]:
    """JSON of one finding, valid against OCSF 1.8 with the cloud profile; times in epoch milliseconds."""
    return {
        **_base(CLASS_UID, finding.level, _STATUS[finding.status], finding.last_seen_time),
        **({"status_detail": finding.status_reason} if finding.status_reason else {}),
        "message": finding.title,
        "cloud": {"provider": "AWS", **_cloud(finding)},
        "finding_info": info(finding),
        "evidences": _evidences(finding),
        **({"resources": [_resource(r.uid, r.type) for r in finding.resources]} if finding.resources else {}),
        **({"anomaly_analyses": [_anomaly(finding, finding.analysis)]} if finding.analysis else {}),
        **(_risk(finding.risk) if finding.risk else {}),
        "observables": _observables(finding),
        "unmapped": {
            "trailhound": {
                "lineage": finding.origin_uid or finding.principal_uid,
                "count": finding.count,
                **({"incident": finding.incident_uid} if finding.incident_uid else {}),
                **_limits(finding),
                "rule": _rule(finding),
            }
        },
    }


def incident_document(incident: Incident, members: Sequence[Finding]) -> dict[str, Any]:
    """JSON of one incident with its findings, valid against OCSF 1.8. OCSF has no risk for it: that is in `unmapped`."""
    techniques = dict.fromkeys(uid for finding in members for uid in finding.attacks)
    return {
        **incident_of(
            incident.level,
            (incident.first_seen_time, incident.last_seen_time),
            incident.account_uids,
            status=_INCIDENT_STATUS[incident.status],
        ),
        "message": incident.title,
        "count": len(members),
        "finding_info_list": [info(finding) for finding in members],
        **({"attacks": [_attack(uid) for uid in techniques]} if techniques else {}),
        "unmapped": {
            "trailhound": {
                "uid": incident.uid,
                "lineage": incident.origin_uid,
                "tactics": incident.tactics,
                "accounts": incident.account_uids,
                **_risk(incident.risk),
            }
        },
    }


def incident_of(
    level: Level, span: tuple[int, int], accounts: Sequence[str], status: int = _INCIDENT_STATUS["new"]
) -> dict[str, Any]:
    """What every Incident Finding has; `span`: from when to when, in epoch milliseconds."""
    return {
        **_base(_INCIDENT_UID, level, status, span[1]),
        "start_time": span[0],
        "end_time": span[1],
        "assignee_group": {"name": "unassigned"},  # OCSF asks for one
        "cloud": {"provider": "AWS", **({"account": {"uid": accounts[0]}} if accounts else {})},
    }


def _base(class_uid: int, level: Level, status: int, time: int) -> dict[str, Any]:
    kind, severity = ocsf.CLASSES[class_uid], _SEVERITY[level]
    return {
        "category_uid": kind.category_uid,
        "category_name": kind.category,
        "class_uid": class_uid,
        "class_name": kind.caption,
        "activity_id": _CREATE,
        "activity_name": kind.activity[_CREATE],
        "type_uid": ocsf.type_uid(class_uid, _CREATE),
        "type_name": kind.type_name(_CREATE),
        "severity_id": severity,
        "severity": ocsf.SEVERITY[severity],
        "status_id": status,
        "status": kind.status[status],
        "time": time,
        "metadata": {
            "version": OCSF_VERSION,
            "profiles": ["cloud"],
            "product": {"name": "trailhound", "vendor_name": "trailhound", "version": __version__},
        },
    }


def _risk(risk: Risk) -> dict[str, Any]:
    return {
        "risk_score": risk.score,
        "risk_level_id": _RISK[risk.level],
        "risk_level": "Info" if risk.level == "informational" else risk.level.capitalize(),
        "risk_details": "; ".join(risk_words(risk)),
    }


def risk_words(risk: Risk) -> list[str]:
    """Each reason with its points, then what is not known."""
    return [f"{one.points:+d} {one.text}" for one in risk.reasons] + [f"not known: {one}" for one in risk.unknown]


def _cloud(finding: Finding) -> dict[str, Any]:
    account = {"account": {"uid": finding.account_uid}} if finding.account_uid else {}
    return account | ({"region": finding.regions[0]} if finding.regions else {})


def info(finding: Finding) -> dict[str, Any]:
    type_id, type_name = _STATISTICAL if finding.analysis else _RULE
    told: dict[str, Any] = {
        "uid": finding.uid,
        "title": finding.title,
        "desc": finding.desc,
        "analytic": {"type_id": type_id, "type": type_name, "uid": finding.rule_uid, "name": finding.rule_title},
        "related_events": [{"uid": uid} for uid in finding.event_uids],
        "first_seen_time": finding.first_seen_time,
        "last_seen_time": finding.last_seen_time,
    }
    if finding.attacks:
        told["attacks"] = [_attack(uid) for uid in finding.attacks]
    return told


def _attack(uid: str) -> dict[str, Any]:
    known = attack.techniques().get(uid)
    technique = {"uid": known.uid, "name": known.name} if known else {"uid": uid}
    return {"version": attack.VERSION, "technique": technique}


def _evidences(finding: Finding) -> list[dict[str, Any]]:
    user = {"uid": finding.principal_uid, **({"name": finding.principal_name} if finding.principal_name else {})}
    actor = {"actor": {"user": user}}
    return [{**actor, "src_endpoint": {"ip": ip}} for ip in finding.src_ips] or [actor]


def _resource(uid: str, kind: str) -> dict[str, Any]:
    return {"uid": uid, "type": kind} if kind else {"uid": uid}


def _observables(finding: Finding) -> list[dict[str, Any]]:
    named = [("evidences[].actor.user.uid", _USER_UID, finding.principal_uid)]
    named += [("evidences[].src_endpoint.ip", _IP, ip) for ip in finding.src_ips]
    named += [("resources[].uid", _RESOURCE_UID, resource.uid) for resource in finding.resources]
    return [
        {"name": name, "type_id": kind, "type": ocsf.OBSERVABLE[kind], "value": value}
        for name, kind, value in named
        if value
    ]


def _anomaly(finding: Finding, analysis: Analysis) -> dict[str, Any]:
    """Expected and seen of one parameter; the baseline's observation says on how many days it stands."""
    asked = {"observation_parameter": analysis.measured, "observation_type": analysis.kind}
    span = {"start_time": finding.first_seen_time, "end_time": finding.last_seen_time}
    seen = {"value": analysis.seen, "count": finding.count, "timespan": span}
    found = [{**asked, "observed_pattern": finding.title, "observations": [seen]}]
    before = f"{analysis.history_days} days of history, active on {analysis.active_days}"
    expected = {"value": analysis.expected, "count": analysis.active_days}
    return {
        "analysis_targets": [{"name": analysis.actor, "type": "User"}],
        "anomalies": found,
        "baselines": [{**asked, "observed_pattern": before, "observations": [expected]}],
    }


def _rule(finding: Finding) -> dict[str, Any]:
    """Whose rule it is. Licences ask that it stays with what the rule finds; OCSF has no place for it."""
    told = {
        "author": finding.rule_author,
        "license": finding.rule_license,
        "status": finding.rule_status,
        "date": finding.rule_date,
        "references": finding.references,
    }
    return {name: value for name, value in told.items() if value}


def _limits(finding: Finding) -> dict[str, Any]:
    return {k: v for k, v in {"threshold": finding.threshold, "window_ms": finding.window_ms}.items() if v is not None}
