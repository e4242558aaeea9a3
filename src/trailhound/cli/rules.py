"""`trailhound rules list`, `show`, `test`, `lint` and `backtest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from trailhound.cli import render, unusable
from trailhound.cli.backtest import backtest
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from trailhound.detections.rules import Rule, RuleSet

app = App(
    name="rules",
    help_format="plaintext",
    help="""List, show, prove, check and try rules.

For example:

    trailhound rules list
    trailhound rules show aws_cloudtrail_stopped
    trailhound rules test my-rules/
    trailhound rules lint my-rules/
    trailhound rules backtest my-rules/ --budget 5/day
""",
)
app.command(backtest)


@app.command(name="list")
def list_(
    *paths: Path,
    code: tuple[Path, ...] = (),
    no_pack: Flag = False,
    left_out: Flag = False,
    options: Options = Options(),
) -> None:
    """List the rules that `detect` would run.

    For example:

        trailhound rules list
        trailhound rules list my-rules/ --no-pack --format json
        trailhound rules list my-rules/ --left-out

    Parameters
    ----------
    paths
        Sigma rules besides the pack: files, or folders of them.
    code
        A Python file that a code rule among them may run. May be repeated.
    no_pack
        Leave out the rules that come with trailhound.
    left_out
        List what the folders hold besides rules that can run, and why it is left out.
    """
    found = open_workspace(options).rules(paths, code=code, no_pack=no_pack)
    if left_out and options.json:
        render.lines(found.left_out)
    elif left_out:
        render.table(["where", "title", "left out"], ([one.where, one.title, one.reason] for one in found.left_out))
    elif options.json:
        render.lines(_summary(rule) for rule in found.rules)
    else:
        rows = (
            [rule.level, rule.name or rule.uid, rule.title, _techniques(rule)] for rule in found.rules if rule.output
        )
        render.table(["level", "rule", "title", "ATT&CK"], rows)
    unusable.tell(found.errors, found.left_out, options)


@app.command
def show(rule: str, /, *paths: Path, code: tuple[Path, ...] = (), options: Options = Options()) -> None:
    """Show one rule, as it is written.

    For example:

        trailhound rules show aws_cloudtrail_stopped
        trailhound rules show my_rule my-rules/

    Parameters
    ----------
    rule
        Its name or id.
    paths
        Sigma rules besides the pack: files, or folders of them.
    code
        A Python file that a code rule among them may run. May be repeated.
    """
    found = _find(open_workspace(options).rules(paths, code=code), rule)
    if options.json:
        render.document({**_summary(found), "source": Path(found.path).read_text("utf-8")})
    else:
        render.text(Path(found.path).read_text("utf-8").rstrip())


@app.command(name="test")
def prove(*paths: Path, code: tuple[Path, ...] = (), options: Options = Options()) -> int:
    """Run the proof beside each rule: events on which it must fire, and on which it must not.

    Exits with status 1 when a case fails.

    For example:

        trailhound rules test
        trailhound rules test my-rules/my_rule.yml

    Parameters
    ----------
    paths
        Rules, or folders of them. Default: the pack.
    code
        A Python file that a code rule among them may run. May be repeated.
    """
    with render.progress(options, "proving", unit="rules") as advance:
        results = open_workspace(options).prove_rules(paths, code=code, progress=advance)
    failed = [result for result in results if not result.passed]
    if options.json:
        render.lines(results)
    elif failed:
        render.table(["rule", "must", "case", "but"], ([r.rule_title, r.kind, r.case, r.detail] for r in failed))
    render.remark(options, f"{render.counted(len(results), 'case')}, {f'{len(failed):,}' if failed else 'none'} failed")
    return int(bool(failed))


@app.command
def lint(*paths: Path, code: tuple[Path, ...] = (), options: Options = Options()) -> int:
    """Check rules without running them: what is malformed, and what keeps a rule from being trusted.

    Exits with status 1 when there is a complaint.

    For example:

        trailhound rules lint my-rules/

    Parameters
    ----------
    paths
        Rules, or folders of them. Default: the pack.
    code
        A Python file that a code rule among them may run. May be repeated.
    """
    complaints = open_workspace(options).lint_rules(paths, code=code)
    for complaint in complaints:
        if options.json:
            render.document({"where": complaint.where, "what": complaint.what, "next_step": complaint.next_step})
        else:
            render.text(f"{complaint.where}: {complaint.what}")
    render.remark(options, render.counted(len(complaints), "complaint"))
    return int(bool(complaints))


def _find(rules: RuleSet, uid: str) -> Rule:
    found = [rule for rule in rules.rules if uid in (rule.uid, rule.name)]
    if not found:
        raise RequestError(
            f"there is no rule {uid!r}",
            causes=tuple(f"not usable: {error.where}: {error.what}" for error in rules.errors[:3]),
            next_step="`trailhound rules list` shows their names; one of your own needs its file named, too",
        )
    return found[0]


def _summary(rule: Rule) -> dict[str, Any]:
    names = (
        "uid",
        "name",
        "title",
        "description",
        "level",
        "kind",
        "tags",
        "falsepositives",
        "references",
        "author",
        "license",
        "status",
        "date",
        "path",
        "line",
    )
    return {name: getattr(rule, name) for name in names}


def _techniques(rule: Rule) -> str:
    return " ".join(
        tag.removeprefix("attack.").upper()
        for tag in rule.tags
        if tag.lower().startswith("attack.t") and tag[8:9].isdigit()
    )
