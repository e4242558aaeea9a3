"""Activity: how often who did what from where, by the hour.

Sums over any grouping of it are sums over the events, so hours, cadence, first-seen and rarity are
answered from it without touching them. What the log leaves open stays open here: a country is that of a
registration, a user agent is what the caller wrote, and a call that a service made has no place.
"""

from __future__ import annotations

from zlib import crc32

from trailhound.engines import dialect
from trailhound.enrichers import context
from trailhound.identity.derive import Daily
from trailhound.identity.families import family
from trailhound.identity.sessions import ORIGIN, ORIGINS_BY_DAY
from trailhound.lake.times import HOUR
from trailhound.vocab import tsv

SERVICE = r"[A-Za-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)"  # how a service is named
_LARGEST = 2**63 - 1

# A record may say that its credential came from the console since version 1.08, and only in a field without a column.
# Reading records is what costs, so older ones are left alone. Text orders these versions: 1.07 < 1.08 < 1.11 < 2.0.
_MAY_SAY = "coalesce(metadata.product.version >= '1.08', FALSE)"
_TEXT = f"TRY({dialect.json_text('raw_data', '$.sessionCredentialFromConsole')})"
_SAYS = f"contains(raw_data, '\"sessionCredentialFromConsole\"') AND {dialect.equals(_TEXT, 'true')}"
_OUTCOME = "CASE WHEN denied THEN 'denied' WHEN status_id = 2 THEN 'failure' WHEN status_id = 1 THEN 'success' ELSE 'unknown' END"
_CALLS = f"""
SELECT event_day, time - ((time % {HOUR}) + {HOUR}) % {HOUR} AS hour,
  cloud.account.uid AS account_uid, cloud.region AS region,
  principal_uid, actor.user.type AS principal_type, actor.session.issuer AS issuer_uid,
  coalesce(origin_of.origin, principal_uid) AS origin_uid,
  api.service.name AS service, api.operation AS operation, {_OUTCOME} AS outcome, read_only,
  coalesce(src_endpoint.ip, src_endpoint.domain) AS ip, actor.invoked_by AS invoked_by,
  http_request.user_agent AS user_agent, coalesce(actor.session.is_mfa, is_mfa) AS is_mfa,
  {{says}} OR coalesce(lower(metadata.event_code) IN ('awsconsolesignin', 'awsconsoleaction'), FALSE) AS console,
  count(*) AS events, sum(coalesce(len(resources), 0)) AS resources, sum(coalesce(traffic.bytes_out, 0)) AS bytes_out,
  min(time) AS first_time, max(time) AS last_time
FROM events LEFT JOIN {ORIGIN} WHERE {{which}} GROUP BY ALL"""

_NETWORK = f"""
CASE WHEN context.network IS NOT NULL THEN context.network WHEN ip IS NULL THEN 'none'
  WHEN starts_with(ip, 'AWS Internal') THEN 'AWS Internal'
  WHEN {dialect.full_regex("ip", SERVICE)} THEN 'aws service' ELSE 'other' END"""


def _agent(agent: str) -> str:
    """SQL of the family of a user agent: none, one of vocab/agents.tsv, or other."""
    bare = f"trim({agent}, '[] ')"
    known = (
        f"WHEN {dialect.regex(bare, f'(?i){pattern}')} THEN {dialect.literal(name)}"
        for pattern, name in tsv.rows("agents")
    )
    return f"CASE WHEN coalesce({bare}, '') = '' THEN 'none' {' '.join(known)} ELSE 'other' END"


# Twice grouped: what is looked up (family, network, country) is looked up once per cell and not once per event.
_SELECT = f"""
WITH calls AS MATERIALIZED (
  {_CALLS.format(says="FALSE", which=f"NOT {_MAY_SAY}")} UNION ALL {_CALLS.format(says=f"({_SAYS})", which=_MAY_SAY)}),
agents AS MATERIALIZED (
  SELECT user_agent, {_agent("user_agent")} AS agent FROM (SELECT DISTINCT user_agent FROM calls)),
families AS MATERIALIZED (
  SELECT principal_uid, {family("principal_uid")} AS family FROM (SELECT DISTINCT principal_uid FROM calls))
SELECT calls.* EXCLUDE (user_agent, events, resources, bytes_out, first_time, last_time),
  families.family, agents.agent, {_NETWORK} AS network, context.country,
  sum(events)::BIGINT AS events, sum(resources)::BIGINT AS resources,
  least(sum(bytes_out), {_LARGEST})::BIGINT AS bytes_out, min(first_time) AS first_time, max(last_time) AS last_time
FROM calls JOIN families USING (principal_uid) JOIN agents ON agents.user_agent IS NOT DISTINCT FROM calls.user_agent
LEFT JOIN context ON context.value = calls.ip
GROUP BY ALL"""


ACTIVITY = Daily(
    table="activity",
    # What an address or an agent is known to be may change with the data it is looked up in.
    version=crc32(f"{_SELECT} {context.versions()}".encode()),
    select=_SELECT,
    prepare=context.mount,
    needs=("sessions", "credentials"),
    also=ORIGINS_BY_DAY,
)
