"""An investigation for other tools: one OCSF Incident Finding (2005), its narrative as `desc`."""

from __future__ import annotations

from typing import Any

import msgspec

from trailhound.detections.ocsf_finding import incident_of, info
from trailhound.model import Conclusion, Disposition, Investigation, Level

_VERDICT: dict[Disposition, tuple[int, str]] = {
    "malicious": (2, "True Positive"),
    "suspicious": (4, "Suspicious"),
    "benign": (5, "Benign"),
    "undetermined": (7, "Insufficient Data"),
}
_CONFIDENCE = {"low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High")}
_PRIORITY: dict[str, tuple[int, str, Level]] = {
    "P1": (4, "Critical", "critical"),
    "P2": (3, "High", "high"),
    "P3": (2, "Medium", "medium"),
}


def document(investigation: Investigation) -> dict[str, Any]:
    """JSON valid against OCSF 1.8; times in epoch milliseconds. What OCSF has no place for is in `unmapped`."""
    subject, finding, verdict = investigation.subject, investigation.finding, investigation.verdict
    alerted = {
        "uid": investigation.uid,
        "title": subject.title,
        "related_events": [{"uid": uid} for uid in subject.event_uids],
        "first_seen_time": subject.window[0],
        "last_seen_time": subject.window[1],
    }
    accounts = [a.value for a in investigation.artifacts if a.kind == "account"]
    return {
        **incident_of(_level(investigation), subject.window, accounts),
        "message": subject.title,
        "desc": "\n\n".join(" ".join(s.text for s in p.sentences) for p in investigation.narrative),
        "count": len(subject.event_uids),
        "finding_info_list": [info(finding) if finding else alerted],
        **_judged(verdict),
        "unmapped": {"trailhound": _rest(investigation)},
    }


def _level(investigation: Investigation) -> Level:
    if investigation.finding:
        return investigation.finding.level
    severity = investigation.verdict.severity
    return _PRIORITY[severity.priority][2] if severity else "informational"


def _judged(verdict: Conclusion) -> dict[str, Any]:
    verdict_id, caption = _VERDICT[verdict.disposition]
    confidence_id, confidence = _CONFIDENCE[verdict.confidence]
    told = {"verdict_id": verdict_id, "verdict": caption, "confidence_id": confidence_id, "confidence": confidence}
    if verdict.severity:
        priority_id, priority, _ = _PRIORITY[verdict.severity.priority]
        told |= {"priority_id": priority_id, "priority": priority}
    return told


def _rest(investigation: Investigation) -> dict[str, Any]:
    """What makes it possible to check: the verdict's reasons, what to do, what is not known, and the cited records."""
    kept = ("uid", "as_of", "versions", "verdict", "recommendations", "unknowns", "cited")
    return {name: msgspec.to_builtins(getattr(investigation, name)) for name in kept}
