"""What a log does not show although it goes on: hours after the alert, calls that only read, a Region, an actor's sessions.

The account is not silent, so none of these is seen as a missing beginning or end.
"""

from __future__ import annotations

from trailhound.investigation import sentences
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Needs
from trailhound.lake import times
from trailhound.lake.times import day
from trailhound.model import Gap

# Where IAM, and mostly sign-ins, are recorded, of whatever Region the caller is; one per partition.
_HOME = "('us-east-1', 'cn-north-1', 'us-gov-west-1', 'us-iso-east-1', 'us-isob-east-1')"


def missing(needs: Needs, evidence: Evidence) -> list[Gap]:
    """What these needs ask for and the log leaves out."""
    gaps = []
    if needs.after:
        gaps += _after(evidence.scope.to + times.duration(needs.after), evidence)
    if needs.reads or needs.followed:
        gaps += _reads(evidence)
    if needs.home_region or needs.followed:
        gaps += _home_region(times.duration(needs.home_region or "1d"), evidence)
    if needs.followed:
        gaps += _followed(evidence)
    return gaps


def _after(until: int, evidence: Evidence) -> list[Gap]:
    """Stretches after the alert of which there is nothing, or less, though the log goes on later."""
    scope, coverage = evidence.scope, evidence.coverage
    since = scope.to + 1
    days = [d for d in coverage.empty_days if day(since) <= d <= day(until)]
    lost = [s for s in coverage.missing if s.since < until and (s.until or until) > since]
    less = [s for s in coverage.narrowed if s.since < until and (s.until or until) > since]
    if days:
        because = f"the log of account {scope.account} has nothing of {sentences.listing(days)}"
    elif lost:
        because = (
            f"the log of account {scope.account} has nothing from {sentences.when(lost[0].since)} ({lost[0].because})"
        )
    elif less:
        because = f"a trail recorded less from {sentences.when(less[0].since)} ({less[0].because})"
    else:
        return []
    how = f"ingest the trail's files of account {scope.account} from {day(since)} on, or those of another trail"
    return [Gap(what="hour", because=because, how_to_get=how)]


def _reads(evidence: Evidence) -> list[Gap]:
    # Data events have selectors of their own; without reads there is not even an AssumeRole.
    same = "read_only AND coalesce(nullif(category, ''), 'Management') = 'Management'"
    if _days("reads AND management AND day BETWEEN $day_before AND $last_day", same, evidence):
        return []
    account = evidence.scope.account
    because = (
        f"no call that only reads is in the log of account {account} of that day: its trail may record changes only"
    )
    return [Gap(what="read_events", because=because, how_to_get="ingest a trail that records read events too")]


def _home_region(back: int, evidence: Evidence) -> list[Gap]:
    since = day(evidence.scope.at - back)
    if any(day_ >= since for day_ in _days(f"region IN {_HOME} AND day <= $last_day", f"region IN {_HOME}", evidence)):
        return []
    account = evidence.scope.account
    because = f"nothing of the Region in which account {account}'s IAM calls and sign-ins are recorded is in the log since {since}"
    how = "ingest the trail's files of us-east-1 (or of the home Region of the partition)"
    return [Gap(what="region", because=because, how_to_get=how)]


def _days(recorded: str, same: str, evidence: Evidence) -> list[str]:
    """Days on which the account has such events beside those that are asked about: these are not their own witness."""
    sql = (
        f"SELECT day FROM (SELECT day, sum(n) AS n FROM covered WHERE {recorded} GROUP BY day) AS c WHERE n > "
        f"(SELECT count(*) FROM subject AS s WHERE s.day = c.day AND s.account = $account AND {same})"
    )
    return [row["day"] for row in evidence.query(sql)]


def _followed(evidence: Evidence) -> list[Gap]:
    nameless = (
        "SELECT count(*) AS n FROM subject WHERE principal_uid = $principal AND (masked OR $principal = 'anonymous')"
    )
    if evidence.query(nameless)[0]["n"]:
        because = "the log does not say who made the calls, so what else the caller did cannot be found"
        return [Gap(what="principal", because=because, how_to_get="ask whoever manages the identities of the caller")]
    sql = "SELECT count(*) AS n, list(DISTINCT target_uid ORDER BY target_uid) AS roles FROM unfollowed"
    (row,) = evidence.query(sql)
    if not row["n"]:
        return []
    opened = sentences.count(row["n"], "session")
    roles = f" ({sentences.listing(sentences.names(row['roles']))})" if any(row["roles"]) else ""
    because = f"the log cannot follow {opened}{roles} that {sentences.name(evidence.scope.principal)} opened"
    return [
        Gap(what="sessions", because=because, how_to_get="ingest the logs of the accounts in which they were opened")
    ]
