"""Predicate → SQL, through the primitives of `engines.dialect`.

Every value of a rule reaches SQL by `dialect.literal`, every name by `dialect.identifier`; every test is TRUE or
FALSE, never NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trailhound.detections.fields import Field
from trailhound.detections.predicate import (
    All,
    Any,
    Compare,
    Listed,
    Match,
    Moment,
    Network,
    Not,
    Pattern,
    Predicate,
    Present,
    Reference,
    Regex,
    Slot,
    Test,
    Text,
    Wildcard,
)
from trailhound.engines import dialect

Column = Callable[[str], str]  # path of the events table → SQL

_LIKE = {Wildcard.MANY: "%", Wildcard.ONE: "_"}
_RE2 = {Wildcard.MANY: ".*", Wildcard.ONE: "."}
_FEW = 3  # beyond, one regular expression with alternatives is quicker than so many LIKEs
_MANY = 1000  # beyond, one regular expression outgrows what RE2 compiles


def condition_sql(predicate: Predicate, column: Column = dialect.column) -> str:
    """A condition over `events`, or over whatever table `column` names the columns of."""
    match predicate:
        case All(parts):
            return "(" + " AND ".join(condition_sql(part, column) for part in parts) + ")" if parts else "TRUE"
        case Any(parts):
            return "(" + " OR ".join(condition_sql(part, column) for part in parts) + ")" if parts else "FALSE"
        case Not(part):
            return f"(NOT {condition_sql(part, column)})"
        case Test(field, match):
            condition = _test(field, match, column)
            return dialect.lenient(condition) if _reads_json(field, match) else condition


def value_sql(field: Field, column: Column = dialect.column) -> str:
    """SQL of the field's text; of the list of its texts where it is `multiple`."""
    names = [column(path) for path in field.columns]
    match field.kind:
        case "text" | "strings":
            sql = names[0]
        case "number" | "boolean":
            sql = f"CAST({names[0]} AS VARCHAR)"
        case "time":
            sql = dialect.time_text(names[0])
        case "address":
            sql = f"coalesce({', '.join(names)})"
        case "status":
            sql = f"CASE {names[0]} WHEN 1 THEN 'success' WHEN 2 THEN 'failure' END"
        case "json":
            sql = dialect.json_values(names[0], field.keys)
        case "admitted":
            sql = dialect.admitted_accounts(names[0], names[1])
        case "resources":
            sql = f"list_transform({names[0]}, lambda item: item.{dialect.identifier(field.keys[0])})"
    return sql


def _reads_json(field: Field, match: Match) -> bool:
    return field.kind == "json" or (isinstance(match, Reference) and match.other.kind == "json")


def _test(field: Field, match: Match, column: Column) -> str:
    if isinstance(match, Compare | Moment) and field.kind in ("number", "time"):
        return _scalar(match, column(field.columns[0]), field, column)
    if isinstance(match, Listed) and field.multiple:
        among = dialect.unnest(value_sql(field, column), "among")
        return f"EXISTS (SELECT 1 FROM {among}, {_listed(match, 'among.item', column)})"
    if field.multiple:
        return dialect.any_element(value_sql(field, column), _scalar(match, "item", field, column))
    return _scalar(match, value_sql(field, column), field, column)


def _scalar(match: Match, text: str, field: Field, column: Column) -> str:
    match match:
        case Text(patterns, cased):
            sql = _text(text, patterns, cased)
        case Listed():
            sql = f"coalesce(EXISTS (SELECT 1 FROM {_listed(match, text, column)}), FALSE)"
        case Regex(pattern):
            sql = dialect.regex(text, pattern)
        case Network(low, high, parse):
            sql = dialect.between_hex(dialect.ipv4_hex(text) if parse else text, low, high)
        case Present():
            sql = f"({text} IS NOT NULL)"
        case Compare(operator, number):
            sql = f"coalesce({dialect.number(text)} {operator} {dialect.literal(number)}, FALSE)"
        case Moment(unit, number, operator):
            time = text if field.kind in ("number", "time") else dialect.milliseconds(text)
            sql = f"coalesce({dialect.time_part(time, unit)} {operator} {dialect.literal(number)}, FALSE)"
        case Reference():
            sql = _reference(text, match, column)
    return sql


def _listed(match: Listed, text: str, column: Column) -> str:
    member, wanted = ("value", text) if match.cased else ("folded", f"lower({text})")
    time = column("time")
    return f"{dialect.identifier(match.table)} AS listed WHERE listed.{member} = {wanted} AND listed.until >= {time}"


def _reference(text: str, match: Reference, column: Column) -> str:
    def related(referred: str) -> str:
        left, right = (text, referred) if match.cased else (f"lower({text})", f"lower({referred})")
        function = {"starts": "starts_with", "ends": "ends_with", "contains": "contains"}.get(match.relation)
        return f"coalesce({f'{function}({left}, {right})' if function else f'{left} = {right}'}, FALSE)"

    referred = value_sql(match.other, column)
    return dialect.any_element(referred, related("other"), item="other") if match.other.multiple else related(referred)


def _text(text: str, patterns: Sequence[Pattern], cased: bool) -> str:
    subject = text if cased else f"lower({text})"
    exact = sorted({_plain(p, cased) for p in patterns if all(isinstance(part, str) for part in p)})
    wild = [p for p in patterns if not all(isinstance(part, str) for part in p)]
    conditions = [dialect.one_of(subject, exact)] if exact else []
    if len(wild) <= _FEW:
        conditions += [dialect.like(subject, _written(p, cased, dialect.like_escape, _LIKE)) for p in wild]
    else:
        alternatives = [_written(p, cased, dialect.regex_escape, _RE2) for p in wild]
        for start in range(0, len(alternatives), _MANY):
            some = "|".join(alternatives[start : start + _MANY])
            conditions.append(dialect.full_regex(subject, f"(?s)(?:{some})"))
    return conditions[0] if len(conditions) == 1 else "(" + " OR ".join(conditions) + ")"


def _plain(pattern: Pattern, cased: bool) -> str:
    return _written(pattern, cased, lambda text: text, {})


def _written(pattern: Pattern, cased: bool, escape: Callable[[str], str], wildcards: dict[Wildcard, str]) -> str:
    written = ""
    for part in pattern:
        if isinstance(part, Slot):
            raise AssertionError(f"the placeholder {part.name} was not filled")
        if isinstance(part, Wildcard):
            written += wildcards[part]
        else:
            written += escape(part if cased else dialect.fold(part))
    return written
