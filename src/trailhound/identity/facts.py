"""The facts that a principal is judged by, as they stood at the end of each day: sums over the days up to it.

All of it is counted over `activity`, `sessions` and `credentials`, never over events. Who stood behind a session is taken
from the whole log: it tells what was, not what is usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.identity.habits import DIMENSIONS, HOUR_OF_DAY
from trailhound.identity.kinds import Facts
from trailhound.lake.times import DAY


def _day(time: str) -> str:
    """SQL of the beginning of the day of a time, epoch milliseconds."""
    return f"({time} - ({time} % {DAY} + {DAY}) % {DAY})"


_SEEN = "coalesce(least(created_time, first_seen_time), 0)"  # of a session
_WEEKEND = f"((hour // {DAY} + 3) % 7 + 7) % 7 >= 5"  # the first of January 1970 was a Thursday
_ACCOUNT = r"regexp_extract(principal_uid, '(?s)^arn:[^:]*:[^:]*:[^:]*:([^:]*):', 1)"
_AWS_ACCOUNT = "CASE WHEN principal_type = 'AWSAccount' THEN split_part(principal_uid, ':', 1) END"
_INTERACTIVE = "agent IN ('browser', 'console')"
_CI_SESSION = (
    "'(?i)(^|[-_./])(ci|github|githubactions|gitlab|jenkins|circleci|buildkite|codebuild|awscodebuild)([-_./0-9]|$)'"
)

_CALLS = f"""
SELECT principal_uid AS uid, {_day("hour")} AS since, max(issuer_uid) AS issuer_uid,
  list(DISTINCT principal_type) FILTER (principal_type IS NOT NULL) AS types,
  list(DISTINCT account_uid) FILTER (account_uid IS NOT NULL) AS accounts,
  sum(CASE WHEN account_uid = coalesce({_AWS_ACCOUNT}, {_ACCOUNT}) THEN events ELSE 0 END)::BIGINT AS own,
  sum(events)::BIGINT AS events, count(DISTINCT hour) AS hours_active,
  count(DISTINCT hour) FILTER ({_WEEKEND}) AS weekend, list(DISTINCT {HOUR_OF_DAY}) AS active,
  coalesce(sum(events) FILTER (operation = 'ConsoleLogin' AND outcome = 'success'), 0)::BIGINT AS sign_ins,
  coalesce(sum(events) FILTER (console AND service <> 'signin.amazonaws.com'), 0)::BIGINT AS console,
  coalesce(sum(events) FILTER (is_mfa), 0)::BIGINT AS mfa,
  coalesce(sum(events) FILTER (invoked_by IS NOT NULL), 0)::BIGINT AS invoked,
  coalesce(sum(events) FILTER ({_INTERACTIVE}), 0)::BIGINT AS interactive
FROM activity GROUP BY ALL"""

_SERVICES = f"""
SELECT uid, since, list({{'key': service, 'n': events}} ORDER BY service) AS services FROM (
  SELECT principal_uid AS uid, {_day("hour")} AS since, {DIMENSIONS["service"]} AS service, sum(events)::BIGINT AS events
  FROM activity GROUP BY ALL) WHERE service IS NOT NULL GROUP BY ALL"""

# A step that is only possible is no reason to call its session a person's. Where the chain breaks, who opened the
# session is known as far as it goes: an id of another account.
_OPENED = f"""
SELECT uid, since, list({{'key': opener, 'n': sessions}} ORDER BY opener) AS openers FROM (
  SELECT uid, {_day("seen")} AS since, opener, count(*) AS sessions FROM (
    SELECT principal_uid AS uid, coalesce(session_uid, sessions.uid) AS session, min({_SEEN}) AS seen, min(CASE
      WHEN confidence NOT IN ('certain', 'likely') THEN NULL
      WHEN ends_with(parent_principal_uid, '.amazonaws.com') THEN parent_principal_uid
      WHEN origin_confidence NOT IN ('certain', 'likely') THEN parent_principal_uid
      WHEN origin_uid <> principal_uid THEN origin_uid END) AS opener
    FROM sessions GROUP BY ALL)
  WHERE opener IS NOT NULL GROUP BY ALL)
GROUP BY ALL"""

_NAMES = f"""
SELECT uid, since, list({{'key': form, 'n': names}} ORDER BY form) AS forms, sum(ci)::BIGINT AS ci_names FROM (
  SELECT uid, {_day("seen")} AS since, regexp_replace(name, '[0-9a-f]{{8,}}|[0-9]+', '#', 'g') AS form,
    count(*) AS names, count(*) FILTER (regexp_matches(name, {_CI_SESSION})) AS ci
  FROM (SELECT principal_uid AS uid, name, min({_SEEN}) AS seen FROM sessions WHERE name IS NOT NULL GROUP BY ALL)
  GROUP BY ALL)
GROUP BY ALL"""

_DELIVERED = f"""
SELECT uid, {_day("seen")} AS since, count(*) AS delivered FROM (
  SELECT principal_uid AS uid, session_uid, min(first_seen_time) AS seen FROM credentials
  WHERE via = 'instance' AND session_uid IS NOT NULL GROUP BY ALL)
GROUP BY ALL"""

_PARTS = " ".join(f"FULL JOIN ({part}) USING (uid, since)" for part in (_SERVICES, _OPENED, _NAMES, _DELIVERED))
_BY_DAY = f"""
SELECT * FROM ({_CALLS}) {_PARTS} WHERE uid IN (SELECT principal_uid FROM activity) ORDER BY uid, since"""

_SUMS = ("own", "events", "hours_active", "weekend", "sign_ins", "console", "mfa", "invoked", "interactive", "delivered",
         "ci_names")  # fmt: skip


class Standing(NamedTuple):
    """What was known of a principal at the end of a day. It grows: read it before the next one is asked for."""

    since: int  # beginning of the day, epoch milliseconds
    facts: Facts
    main: str  # the service that it had called most


def by_day(engine: DuckDB) -> dict[str, Rows]:
    """By uid what each day adds, in order: rows for `standings`."""
    found: dict[str, Rows] = {}
    for row in engine.query(_BY_DAY):
        found.setdefault(row["uid"], []).append(row)
    return found


def standings(uid: str, days: Rows) -> Iterator[Standing]:
    """One for each day with calls."""
    facts, forms, services, main = Facts(uid), dict[str, int](), dict[str, int](), ""
    for day in days:
        _add(facts.openers, day["openers"])
        _add(forms, day["forms"])
        facts.sessions = sum(facts.openers.values()) if day["openers"] else facts.sessions
        facts.names = sum(forms.values()) if day["forms"] else facts.names
        facts.alike = max(forms.values(), default=0) if day["forms"] else facts.alike
        for name in _SUMS:
            setattr(facts, name, getattr(facts, name) + (day[name] or 0))
        if day["events"] is None:  # sessions were opened, and nothing was called
            continue
        facts.days += 1
        for hour in day["active"]:
            facts.active[hour] += 1
        facts.issuer_uid = max(filter(None, (facts.issuer_uid, day["issuer_uid"])), default=None)
        facts.types = sorted({*facts.types, *(day["types"] or ())})
        facts.accounts = sorted({*facts.accounts, *(day["accounts"] or ())})
        _add(services, day["services"])
        named = [main, *(one["key"] for one in day["services"] or ())]  # no other can have come to lead
        main = min(named, key=lambda name: (-services.get(name, 0), name))
        yield Standing(day["since"], facts, main)


def _add(counts: dict[str, int], more: list[Mapping[str, Any]] | None) -> None:
    for one in more or ():
        counts[one["key"]] = counts.get(one["key"], 0) + one["n"]
