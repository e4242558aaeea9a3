"""What every verb takes. Usable before the verb and after it."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from trailhound.workspace import Workspace

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
LevelName = Literal["informational", "low", "medium", "high", "critical"]


@Parameter(name="*", group=Group("Global options", sort_key=100))
@dataclass(frozen=True)
class Options:
    workspace: Path | None = None
    """The folder that holds the lake, findings and settings. Default: $TRAILHOUND_WORKSPACE, else ./.trailhound"""

    format: Literal["table", "json"] | None = None
    """How to print. Default: table on a terminal, json on a pipe."""

    quiet: Flag = False
    """Print results only: no progress, no remarks."""

    debug: Flag = False
    """On an error that should not happen, print where in the code it did."""

    def over(self, earlier: Options) -> Options:
        """These options, and where they are silent those given earlier on the command line."""
        mine = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return dataclasses.replace(earlier, **{name: value for name, value in mine.items() if value})

    @property
    def json(self) -> bool:
        return self.format == "json" or (self.format is None and not sys.stdout.isatty())


def open_workspace(options: Options) -> Workspace:
    from trailhound.workspace import Workspace  # noqa: PLC0415 - the engine takes longer to import than --help may last

    return Workspace.open(options.workspace)
