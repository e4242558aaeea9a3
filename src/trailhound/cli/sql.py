"""`trailhound sql QUERY`."""

from __future__ import annotations

from trailhound.cli import render
from trailhound.cli.options import Options, open_workspace


def sql(query: str, /, *, version: int | None = None, options: Options = Options()) -> None:
    """Run a reading SQL statement over the lake's tables.

    One SELECT, WITH or DESCRIBE; it can reach neither files nor settings nor the network. What is too wide for the
    terminal is shown row by row, a line for each value.

    For example:

        trailhound sql "DESCRIBE events"
        trailhound sql "SELECT api.operation, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC LIMIT 10"
        trailhound sql "SELECT r.uid FROM events, unnest(resources) AS t(r) WHERE api.operation = 'TerminateInstances'"

    Parameters
    ----------
    query
        The statement. `SHOW TABLES` lists the tables.
    version
        The events as they were in this version, which was kept since a finding was closed or suppressed on it.
    """
    rows = open_workspace(options).sql(query, version=version)
    if options.json:
        render.lines(rows)
    elif rows:
        columns, values = list(rows[0]), [list(row.values()) for row in rows]
        if render.fits(columns, values):
            render.table(columns, values, grouped=False)
        else:
            render.records(columns, values)
    else:
        render.remark(options, "no rows")
