"""What can go wrong, as a person needs to hear it.

TrailhoundError
├── InputError       a path, an archive, a pasted text cannot be read
├── CatalogError     a pack (rule, question, story) is malformed
├── WorkspaceError   the workspace folder or its lake cannot be used
├── QueryError       a search expression, SQL statement or engine request is refused
└── RequestError     the verb was asked for something that does not exist
"""

from __future__ import annotations


class TrailhoundError(Exception):
    """An error that teaches: what happened, where, likely causes, next step.

    A bad *record* is never one of these: it is a counted row in the ledger.
    """

    def __init__(self, what: str, *, where: str = "", causes: tuple[str, ...] = (), next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.causes = causes
        self.next_step = next_step

    def __str__(self) -> str:
        lines = [f"what:  {self.what}"]
        if self.where:
            lines.append(f"where: {self.where}")
        if self.causes:
            lines.append(f"why:   {'; or '.join(self.causes)}")
        if self.next_step:
            lines.append(f"next:  {self.next_step}")
        return "\n".join(lines)


class InputError(TrailhoundError):
    """A source cannot be read at all."""


class CatalogError(TrailhoundError):
    """A pack file is malformed; `where` is `file:line`."""


class WorkspaceError(TrailhoundError):
    """The workspace or its lake is missing, locked, full, or of another version."""


class QueryError(TrailhoundError):
    """A query is not understood, or not allowed."""


class RequestError(TrailhoundError):
    """Nothing answers to the given name, uid or time."""
