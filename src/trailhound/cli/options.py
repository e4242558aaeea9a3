"""What every verb takes. Usable before the verb and after it."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from trailhound.workspace import Workspace

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
LevelName = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[LevelName, ...] = get_args(LevelName)


_GROUP = Group("Global options", sort_key=100)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class Globals:
    workspace: Path | None = None
    """The folder that holds the lake, findings and settings. Default: $TRAILHOUND_WORKSPACE, else ./.trailhound"""

    quiet: Flag = False
    """Print results only: no progress, no remarks."""

    debug: Flag = False
    """On an error that should not happen, print where in the code it did."""

    def over(self, earlier: Globals) -> Self:
        """These options, and where they are silent those given earlier on the command line."""
        given = {field.name: getattr(earlier, field.name) for field in dataclasses.fields(earlier)}
        return dataclasses.replace(self, **{name: value for name, value in given.items() if not getattr(self, name)})


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class Options(Globals):
    format: Literal["table", "json"] | None = None
    """How to print. Default: table on a terminal, json on a pipe."""

    @property
    def json(self) -> bool:
        return self.format == "json" or (self.format is None and not sys.stdout.isatty())


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class ReportOptions(Globals):
    format: Literal["text", "table", "json", "html", "md", "ocsf"] | None = None
    """How to print; table is text. Default: by the suffix of the output file; text on a terminal, json on a pipe."""


def open_workspace(options: Globals) -> Workspace:
    from trailhound.workspace import Workspace  # noqa: PLC0415 - the engine takes longer to import than --help may last

    return Workspace.open(options.workspace)
