"""`trailhound`, and `python -m trailhound`.

Exit status: 0 done; 1 done, and findings at or above --fail-on; 2 could not be carried out; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from trailhound.errors import TrailhoundError


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        from trailhound.cli.app import run  # noqa: PLC0415 - an interrupt while importing is caught too

        status = run(arguments)
        sys.stdout.flush()
    except TrailhoundError as error:
        return _failed(str(error), arguments)
    except KeyboardInterrupt:
        print("interrupted; nothing is half-written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the one of this face: whatever it is, say it in four lines
        return _failed(str(_unexpected(error)), arguments)
    return status


def _unexpected(error: Exception) -> TrailhoundError:
    from traceback import extract_tb  # noqa: PLC0415 - only when something went wrong

    place = extract_tb(error.__traceback__)[-1]
    return TrailhoundError(
        f"{type(error).__name__}: {error}",
        where=f"{os.path.basename(place.filename)}:{place.lineno}, in {place.name}",
        causes=("a mistake in trailhound, not in what you asked for",),
        next_step="run it again with --debug, and report what that prints",
    )


def _failed(message: str, arguments: Sequence[str]) -> int:
    from trailhound.cli.render import clean  # noqa: PLC0415

    print(clean(message), file=sys.stderr)
    if "--debug" in arguments:
        import traceback  # noqa: PLC0415

        print(clean(traceback.format_exc()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
