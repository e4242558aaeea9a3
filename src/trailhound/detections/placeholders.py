"""`%name%` in a rule: what an organisation knows and a log does not say.

Lists come from the settings. `%production_instances%` may also be made from the log: by tag, by account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import msgspec
from sigma.types import SigmaString

from trailhound.detections.condition import pattern
from trailhound.detections.predicate import Listed, Pattern, Predicate, Slot, Test, Text, disjunction, rewrite
from trailhound.engines.dialect import any_element, column, identifier, json_text, json_values, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.settings import Settings

PRODUCTION_INSTANCES = "production_instances"

_FEW = 50  # longer lists are joined as a table
_ALWAYS = 2**63 - 1
# A thief may take the tag off first: a removed tag goes on counting for a day.
_GRACE_MS = 86_400_000


class Production(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances count as production: any of these, each may be empty."""

    ids: Sequence[str] = ()
    accounts: Sequence[str] = ()  # every instance of these accounts
    tags: Sequence[str] = ()  # "key=value", as RunInstances, CreateTags and DeleteTags in the log leave them


class Placeholders(msgspec.Struct, frozen=True, kw_only=True):
    """`values`: name → values, in which * and ? are wildcards as in any Sigma value."""

    values: Mapping[str, Sequence[str]] = {}
    production: Production = Production()

    @classmethod
    def of(cls, settings: Settings) -> Placeholders:
        """As an organisation has written them into its trailhound.toml."""
        known = settings.production
        production = Production(ids=known.instances, accounts=known.accounts, tags=known.tags)
        return cls(values=settings.placeholders, production=production)


class Filled(msgspec.Struct, frozen=True):
    patterns: dict[str, tuple[Pattern, ...]]  # every value
    tables: dict[str, str]  # name → temporary table with all of them, where they are many
    missing: dict[str, str]  # name → why it has no value


def fill(engine: DuckDB, placeholders: Placeholders, names: Iterable[str]) -> Filled:
    """Values of the placeholders `names`; tables are made in the engine. `drop` removes them."""
    filled = Filled({}, {}, {})
    for name in sorted(set(names)):
        values = tuple(pattern(SigmaString(value)) for value in placeholders.values.get(name, ()))
        if name == PRODUCTION_INSTANCES and placeholders.production != Production():
            listed = _production(engine, placeholders.production, [text for v in values if (text := _exact(v))])
            values = (*(v for v in values if not _exact(v)), *((text,) for text in listed))
            filled.tables[name] = _table(name)
        elif len(values) > _FEW and all(_exact(value) for value in values):
            _create(engine, _table(name))
            _insert(engine, _table(name), [_exact(value) for value in values])
            filled.tables[name] = _table(name)
        if values:
            filled.patterns[name] = values
        else:
            filled.missing[name] = _why_missing(name, placeholders)
    return filled


def drop(engine: DuckDB, filled: Filled) -> None:
    for table in filled.tables.values():
        engine.execute(f"DROP TABLE {identifier(table)}")


def bind(predicate: Predicate, filled: Filled) -> Predicate:
    """The predicate with every slot filled. None of its slots may be `missing`."""
    return rewrite(predicate, lambda test: _bind(test, filled))


def _bind(test: Test, filled: Filled) -> Predicate:
    if not isinstance(test.match, Text):
        return test
    patterns: list[Pattern] = []
    listed: list[Test] = []
    for each in test.match.patterns:
        only = each[0] if len(each) == 1 else None
        if isinstance(only, Slot) and only.name in filled.tables:
            listed.append(Test(test.field, Listed(filled.tables[only.name], test.match.cased)))
            patterns += [value for value in filled.patterns[only.name] if not _exact(value)]
        else:
            choices = [filled.patterns[part.name] if isinstance(part, Slot) else ((part,),) for part in each]
            patterns += [tuple(part for choice in chosen for part in choice) for chosen in product(*choices)]
    if patterns or not listed:
        listed.append(Test(test.field, Text(tuple(patterns), test.match.cased)))
    return disjunction(listed)


def _exact(value: Pattern) -> str:
    """The value when it has no wildcard; "" otherwise."""
    return value[0] if len(value) == 1 and isinstance(value[0], str) else ""


def _table(name: str) -> str:
    return f"placeholder_{name}"


def _create(engine: DuckDB, table: str) -> None:
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(table)} (value VARCHAR, folded VARCHAR, until BIGINT)")


def _insert(engine: DuckDB, table: str, values: Sequence[str]) -> None:
    rows = f"SELECT DISTINCT item, lower(item), {_ALWAYS} FROM unnest($values) AS given(item)"
    engine.execute(f"INSERT INTO {identifier(table)} {rows}", {"values": list(values)})


def _why_missing(name: str, placeholders: Placeholders) -> str:
    if name != PRODUCTION_INSTANCES:
        return f"%{name}% has no values: set placeholders.{name} in trailhound.toml"
    production = placeholders.production
    if production == Production():
        return f"%{name}% has no values: say in [production] of trailhound.toml which instances are production"
    asked = [*(f"the tag {tag}" for tag in production.tags), *(f"the account {uid}" for uid in production.accounts)]
    return f"%{name}% has no values: no instance in the log has {' or '.join(asked)}"


def _production(engine: DuckDB, production: Production, more: Sequence[str]) -> list[str]:
    table = _table(PRODUCTION_INSTANCES)
    _create(engine, table)
    _insert(engine, table, [*production.ids, *more])
    sources = [_by_account(production.accounts)] if production.accounts else []
    sources += [_by_tag(tag) for tag in production.tags]
    for source in sources:
        engine.execute(f"INSERT INTO {identifier(table)} SELECT uid, lower(uid), until FROM ({source})")
    return [row["value"] for row in engine.query(f"SELECT DISTINCT value FROM {identifier(table)} ORDER BY value")]


def _by_account(accounts: Sequence[str]) -> str:
    listed = ", ".join(literal(account) for account in accounts)
    return f"""
        SELECT DISTINCT item.uid AS uid, {_ALWAYS} AS until FROM events, unnest(resources) AS named(item)
        WHERE {column("cloud.account.uid")} IN ({listed}) AND item.type = 'AWS::EC2::Instance' AND item.uid IS NOT NULL"""


def _by_tag(tag: str) -> str:
    """Instances that got the tag, and until when it counts: tagging and removal in order of time."""
    key, equal, value = tag.partition("=")
    if not equal:
        raise CatalogError(f"{tag!r} is not key=value", where="trailhound.toml, [production] tags")
    same_key = f"{json_text('tag', '$.key')} = {literal(key)}"
    same_value = f"{json_text('tag', '$.value')} = {literal(value)}"
    same = f"{same_key} AND {same_value}"
    # A removal may name the key alone.
    same_or_any = f"{same_key} AND coalesce({same_value}, TRUE)"

    def tagged(node: str, keys: Sequence[str], condition: str) -> str:
        return any_element(json_values(node, keys), condition, item="tag")

    request, response = column("api.request.data"), column("api.response.data")
    specified = any_element(
        json_values(request, ["tagSpecificationSet", "items"]),
        f"{json_text('spec', '$.resourceType')} = 'instance' AND {tagged('spec', ['tags'], same)}",
        item="spec",
    )
    calls = f"events WHERE status_id = 1 AND {column('api.operation')}"
    named = f"unnest({json_values(request, ['resourcesSet', 'items', 'resourceId'])}) AS uid"
    tags = ["tagSet", "items"]
    return f"""
        WITH launched AS (
            SELECT time, {specified} AS specified, unnest({json_values(response, ["instancesSet", "items"])}) AS instance
            FROM {calls} = 'RunInstances'
        ), marks AS (
            SELECT {json_text("instance", "$.instanceId")} AS uid, time, TRUE AS present
            FROM launched WHERE specified OR {tagged("instance", tags, same)}
            UNION ALL
            SELECT {named}, time, {tagged(request, tags, same)}
            FROM {calls} = 'CreateTags' AND {tagged(request, tags, same_key)}
            UNION ALL
            SELECT {named}, time, FALSE FROM {calls} = 'DeleteTags' AND {tagged(request, tags, same_or_any)}
        )
        SELECT uid, CASE
            WHEN coalesce(max(time) FILTER (NOT present) > max(time) FILTER (present), FALSE) THEN max(time) + {_GRACE_MS}
            ELSE {_ALWAYS} END AS until
        FROM marks WHERE starts_with(uid, 'i-') GROUP BY uid HAVING bool_or(present)"""
