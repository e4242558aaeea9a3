"""What the evidence does not hold, and how to get it: the reasons for *unknown*."""

from __future__ import annotations

from collections.abc import Sequence

from trailhound.ingest.coverage import ALL
from trailhound.investigation import sentences
from trailhound.investigation.basis import BrokenObject
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Needs
from trailhound.lake import times
from trailhound.lake.times import DAY, HOUR, day
from trailhound.model import Gap

_AGAIN = (
    "fetch the files from the bucket again, prove them with `trailhound verify`, and ingest them into a new workspace"
)


def missing(needs: Needs, evidence: Evidence) -> list[Gap]:
    """What these needs ask for and the evidence does not hold."""
    scope, coverage, gaps = evidence.scope, evidence.coverage, []
    if needs.history:
        gaps += history(scope.at - times.duration(needs.history), evidence)
    if needs.after:
        gaps += _after(scope.to + times.duration(needs.after), evidence)
    if needs.actor_days and not gaps:
        active = _active_days(evidence)
        if active < needs.actor_days:
            days, wanted = sentences.count(active, "day"), sentences.number(needs.actor_days)
            because = f"no history: {sentences.name(scope.principal)} was active on {days} before; {wanted} are needed"
            gaps.append(Gap(what="actor_history", because=because, how_to_get="ingest more of the actor's history"))
    if needs.data_events and not coverage.s3_data_events:
        because = f"no S3 data events of account {scope.account} are in the log"
        gaps.append(
            Gap(
                what="data_events",
                because=because,
                how_to_get="ingest a trail that records S3 data events; if none does, S3 server access logs",
            )
        )
    if needs.single_actor and len(scope.of("user")) > 1:
        because = f"{len(scope.of('user'))} principals are involved, not one"
        gaps.append(Gap(what="single_actor", because=because, how_to_get="investigate each principal on its own"))
    if needs.purpose and not purpose(evidence):
        because = f"the purpose of account {scope.account} is not recorded"
        gaps.append(
            Gap(
                what="purpose",
                because=because,
                how_to_get=f"write it under [accounts.{scope.account}] in trailhound.toml",
            )
        )
    if needs.country and not _has_country(evidence):
        because = (
            "the address has no country"
            if scope.of("ip_address")
            else "the calls came from an AWS service, not from an address"
        )
        gaps.append(Gap(what="country", because=because, how_to_get="look the address up by hand"))
    return gaps


def history(since: int, evidence: Evidence) -> list[Gap]:
    """Gaps of the account's log between `since` and the end of the finding."""
    scope, coverage = evidence.scope, evidence.coverage
    account, first = scope.account, coverage.first_time
    how = f"ingest the trail's files of account {account} from {day(since)} on"
    if first is None or day(first) > day(since):
        begins = f"begins on {day(first)}" if first else "is empty"
        return [
            Gap(
                what="history",
                because=f"no history: the log of account {account} {begins}; it is needed from {day(since)}",
                how_to_get=how,
            )
        ]
    empty = [d for d in coverage.empty_days if day(since) <= d <= day(scope.to)]
    if empty:
        return [
            Gap(
                what="history",
                because=f"the log of account {account} has nothing of {sentences.listing(empty)}",
                how_to_get=how,
            )
        ]
    if hours := _hours(since, evidence):
        because = (
            f"the log of account {account} has nothing of {sentences.count(len(hours), 'hour')} "
            f"({sentences.listing(hours)} UTC), though it hardly ever has an empty hour"
        )
        return [Gap(what="hour", because=because, how_to_get=how)]
    lost = _missing(since, evidence) or _narrowed(since, evidence) or _altered_around(since, evidence)
    if lost:
        return [lost]
    for begin, end in coverage.stopped:
        if begin < scope.at and (end is None or end >= since):
            until = sentences.when(end) if end else "the end of the log"
            return [
                Gap(
                    what="logging_stopped",
                    because=f"logging was stopped from {sentences.when(begin)} to {until}",
                    how_to_get="look for another trail, or the services' own logs",
                )
            ]
    return []


def _missing(since: int, evidence: Evidence) -> Gap | None:
    """Stretches of a Region, or of the whole account, that can hardly be empty by chance."""
    lost = [s for s in evidence.coverage.missing if s.since <= evidence.scope.to and (s.until or s.since) > since]
    if not lost:
        return None
    one = lost[0]
    where = "" if one.region == ALL else f" in {one.region}"
    period = f"from {sentences.when(one.since)} to {sentences.when(one.until or one.since)}"
    has = "is not whole" if one.kind == "broken" else "has nothing"
    more = f"; {sentences.count(len(lost) - 1, 'more such stretch')}" if len(lost) > 1 else ""
    because = f"the log of account {one.account_uid} {has}{where} {period} ({one.because}){more}"
    how = f"ingest the trail's files of account {one.account_uid} from {day(one.since)} on"
    return Gap(what="hour", because=because, how_to_get=how)


def altered(cited: Sequence[str], evidence: Evidence) -> tuple[int, list[Gap]]:
    """How many of the cited events stand in files that are proven altered, and the gap that this leaves."""
    events, objects = evidence.ledger.in_broken(cited, evidence.places(cited))
    if not events:
        return 0, []
    part, are = sentences.number(len(events)), "is" if len(events) == 1 else "are"
    some = f"{part} of the {sentences.count(len(cited), 'event')} that it stands on {are}"
    because = f"{'all that it would stand on is' if len(events) == len(cited) else some} in {_files(objects)}"
    return len(events), [Gap(what="integrity", because=because, how_to_get=_AGAIN)]


def _altered_around(since: int, evidence: Evidence) -> Gap | None:
    """Files of the account that are proven altered, also where no digest says of which hour they were."""
    to = evidence.scope.to
    around = [
        one
        for one in evidence.ledger.broken.values()
        if one.own and (one.first_time or since) <= to and (one.last_time or to) >= since
    ]
    if not around:
        return None
    because = f"of the log of account {evidence.scope.account} there is {_files(around)}"
    return Gap(what="hour", because=because, how_to_get=_AGAIN)


def _files(objects: Sequence[BrokenObject]) -> str:
    files = "a file" if len(objects) == 1 else sentences.count(len(objects), "file")
    more = f" and {len(objects) - 1:,} more" if len(objects) > 1 else ""
    name = sentences.short(objects[0].name.rpartition("/")[2])
    return f"{files} proven not to be what was delivered ({name}{more})"


def _narrowed(since: int, evidence: Evidence) -> Gap | None:
    """A trail that was told to record less."""
    scope = evidence.scope
    for one in evidence.coverage.narrowed:
        if one.since < scope.at and (one.until is None or one.until >= since):
            until = sentences.when(one.until) if one.until else "the end of the log"
            because = f"the trail recorded less from {sentences.when(one.since)} to {until} ({one.because})"
            how = "look for another trail, or the services' own logs"
            return Gap(what="logging_narrowed", because=because, how_to_get=how)
    return None


def _hours(since: int, evidence: Evidence) -> list[str]:
    """Hours without any event of the account, in the last two days before the alert, where that is out of the ordinary.

    An account that sleeps at night has quiet hours; one that never does has missing ones.
    """
    scope = evidence.scope
    begin = max(since, scope.at - 2 * DAY) // HOUR
    usual = range(scope.at // HOUR - 14 * 24, scope.at // HOUR + 1)
    busy = evidence.coverage.hours
    if sum(hour in busy for hour in usual) < 0.95 * len(usual):
        return []
    return [sentences.when(h * HOUR)[:16] for h in range(begin, scope.to // HOUR + 1) if h not in busy]


def _after(until: int, evidence: Evidence) -> list[Gap]:
    scope, coverage = evidence.scope, evidence.coverage
    last = coverage.last_time or scope.to
    if last < until:
        ends, needed = sentences.when(last), sentences.when(until)
        because = f"the log of account {scope.account} ends at {ends}; it is needed until {needed}"
        return [Gap(what="later", because=because, how_to_get="ingest what was delivered since, and ask again")]
    stopped = [begin for begin, end in coverage.stopped if begin < until and (end is None or end > scope.to)]
    if stopped:
        because = f"logging was stopped at {sentences.when(min(stopped))}"
        return [
            Gap(what="logging_stopped", because=because, how_to_get="look for another trail, or the services' own logs")
        ]
    return []


def _active_days(evidence: Evidence) -> int:
    # The last twelve hours are left out: what is asked about must not be its own history.
    sql = f"SELECT count(DISTINCT day) AS days FROM actor WHERE time < $at - {DAY // 2}"
    return evidence.query(sql)[0]["days"]


def _has_country(evidence: Evidence) -> bool:
    sql = "SELECT count(*) AS known FROM context WHERE list_contains($ips, value) AND country IS NOT NULL"
    return evidence.query(sql)[0]["known"] > 0


def purpose(evidence: Evidence) -> str:
    account = evidence.settings.accounts.get(evidence.scope.account)
    return account.purpose if account else ""
