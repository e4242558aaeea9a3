"""`trailhound search EXPRESSION`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from trailhound.lake.search import SearchResult


def search(
    *expression: Annotated[str, Parameter(allow_leading_hyphen=True)],
    group_by: tuple[str, ...] = (),
    timeline: Flag = False,
    limit: int = 100,
    options: Options = Options(),
) -> None:
    """Find events.

    Terms are joined by "and"; "or", "not" (or a minus) and parentheses do what they say. A term is a comparison
    (field=value, field!=value, field~pattern, field>number, field in 10.0.0.0/8, field in (a, b)), has:field,
    a time (last 7d, since 2020-11-01, until 2020-11-06, at 2020-11-06T03:21:39Z ±10m), or text to be found anywhere
    in the record. "last 7d" counts back from the newest event of the lake, not from now.

    For example:

        trailhound search 'principal~alice op~Terminate* last 7d'
        trailhound search 'ip in 180.163.0.0/16 -status=success' --group-by op
        trailhound search 'op=ConsoleLogin mfa=no or service=sts' --timeline
        trailhound search 'at 2020-11-06T03:21:39Z ±10m' --limit 20
        trailhound search 'requestParameters.bucketName=my-bucket has:error'

    Parameters
    ----------
    expression
        What to find; best in single quotes. docs/reference/search.md has every field.
    group_by
        Count events by these fields.
    timeline
        Count events along time.
    limit
        Print at most so many events or groups.
    """
    result = open_workspace(options).search(_joined(expression), limit=limit, group_by=group_by, timeline=timeline)
    if options.json:
        render.lines(_documents(result))
        return
    columns, rows = _table(result)
    if result.kind != "events" or render.fits(columns, rows):
        render.table(columns, rows)
    else:
        _two_lines(rows)
    shown = sum(row["events"] for row in result.rows) if result.kind != "events" else len(result.rows)
    more = f", of which {shown:,} are shown (--limit)" if shown < result.matched else ""
    render.remark(
        options,
        f"{_matched(result.matched)}{more}; the newest event in the lake is from {render.at(result.newest_time)}",
    )


def _matched(number: int) -> str:
    return f"{render.counted(number, 'event')} {'matches' if number == 1 else 'match'}"


def _two_lines(rows: list[list[Any]]) -> None:
    """Each event on two lines, for a narrow terminal: nothing in it is broken, so all of it can be copied."""
    width = max(len(render.cell(row[1])) for row in rows)
    for time, operation, principal, source, outcome, resources in rows:
        render.text(f"{time}  {render.cell(operation):<{width}}  {render.cell(outcome)}")
        place = f" from {render.cell(source)}" if source else ""
        named = f" on {render.cell(resources)}" if resources else ""
        render.text(f"  {render.cell(principal) or '(nobody)'}{place}{named}")


def _joined(words: tuple[str, ...]) -> str:
    if len(words) > 1 and (torn := next((word for word in words if any(sign.isspace() for sign in word)), None)):
        raise RequestError(
            "the shell has taken quotes away that the expression needs",
            where=f"search {' '.join(words)}",
            causes=(f"{torn!r} was quoted, but the expression as a whole was not",),
            next_step="put the whole expression in single quotes: search 'op=ConsoleLogin agent=\"aws cli\"'",
        )
    return " ".join(words)


def _documents(result: SearchResult) -> list[dict[str, Any]]:
    if result.kind != "events":
        return result.rows
    from trailhound.ocsf.document import document  # noqa: PLC0415 - start-up

    return [document(row) for row in result.rows]


def _table(result: SearchResult) -> tuple[list[str], list[list[Any]]]:
    if result.kind == "groups":
        columns = [*result.group_by, "events", "first", "last"]
        return columns, [
            [
                *(row[name] for name in result.group_by),
                row["events"],
                render.at(row["first_time"]),
                render.at(row["last_time"]),
            ]
            for row in result.rows
        ]
    if result.kind == "timeline":
        most = max((row["events"] for row in result.rows), default=0)
        bars = [
            [render.at(row["start"]), row["events"], "█" * -(-30 * row["events"] // max(most, 1))]
            for row in result.rows
        ]
        return ["from", "events", ""], bars
    return ["time", "operation", "principal", "source", "result", "resources"], [_event(row) for row in result.rows]


def _event(row: dict[str, Any]) -> list[Any]:
    source = row["src_endpoint"]["ip"] or row["src_endpoint"]["domain"]
    failed = row["api"]["response"]["error"] or row["status_detail"] or "failure"
    resources = [resource["uid"] for resource in row["resources"] or [] if resource["uid"]]
    more = [f"and {len(resources) - 1} more"] if len(resources) > 1 else []
    principal = (row["principal_uid"] or "").rpartition(":")[2]
    outcome = "success" if row["status_id"] == 1 else failed
    return [render.at(row["time"]), row["api"]["operation"], principal, source, outcome, [*resources[:1], *more]]
