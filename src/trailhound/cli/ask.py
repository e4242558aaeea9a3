"""`trailhound ask QUESTION OBSERVABLE`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from trailhound.model import Answer


def ask(
    question: str | None = None,
    observable: str | None = None,
    /,
    *,
    catalogue: Annotated[Flag, Parameter(name="--list")] = False,
    options: Options = Options(),
) -> None:
    """Ask one question: yes, no, or unknown because this evidence is missing.

    For example:

        trailhound ask --list
        trailhound ask ip_address.seen_before ip_address=180.163.251.231
        trailhound ask user.other_findings user=arn:aws:iam::111122223333:user/alice --format json

    Parameters
    ----------
    question
        Its id.
    observable
        KIND=VALUE, whom or what it is asked about.
    catalogue
        Print all questions there are, and what those need that CloudTrail cannot answer.
    """
    workspace = open_workspace(options)
    if catalogue:
        questions = workspace.questions()
        if options.json:
            shown = ("id", "catalogue", "kind", "asks", "state", "covers", "not_covered")
            render.lines({name: getattr(item, name) for name in shown} for item in questions)
        else:
            rows = ([item.id, item.catalogue, item.asks, item.state] for item in questions)
            render.table(["question", "no", "asks", "state"], rows)
        return
    if question is None or observable is None:
        raise RequestError(
            "a question and an observable are needed",
            where="trailhound ask",
            next_step="trailhound ask QUESTION KIND=VALUE; `trailhound ask --list` shows the questions",
        )
    answer = workspace.ask(question, observable)
    if options.json:
        render.document(answer)
    else:
        _show(answer)


def _show(answer: Answer) -> None:
    from trailhound.reports import words  # noqa: PLC0415 - start-up

    render.text(f"{answer.asks}\n{answer.verdict}: {answer.sentence}")
    for gap in answer.gaps:
        render.text(f"  missing: {gap.because}\n  to get it: {gap.how_to_get}")
    if answer.not_covered:
        render.text(f"  not covered: {answer.not_covered}")
    if answer.evidence:
        shown = ", ".join(answer.evidence[:5])
        more = f" and {answer.evidence_count - 5:,} more" if answer.evidence_count > 5 else ""
        render.text(f"  evidence: {shown}{more}")
    render.text(f"  stood on: {words.stood_on(answer.basis)}")
    for source in answer.basis.sources[:3]:
        render.text(f"  file: {source.name or source.uid} ({words.STATES[source.integrity]}, SHA-256 {source.sha256})")
    if (hidden := answer.basis.sources_count - 3) > 0:
        render.text(f"  and {words.plural(hidden, 'more file')}")
