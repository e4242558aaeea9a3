"""Keys of services: from the environment, else from a file that only its owner can read. They are never shown."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec

from trailhound.errors import RequestError

FILE = "keys.toml"


def variable(provider: str) -> str:
    return f"TRAILHOUND_{provider.upper()}_KEY"


def key(provider: str, folder: Path) -> str:
    """`TRAILHOUND_VIRUSTOTAL_KEY`, else `virustotal = "..."` in keys.toml of the workspace; "" where there is none.

    Raises RequestError when others can read the file, or when it or the key is malformed.
    """
    found = os.environ.get(variable(provider)) or _listed(folder / FILE).get(provider, "")
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise RequestError(
            f"the key of {provider} has characters that no key has",
            where=f"{variable(provider)} or {FILE}",
            causes=("a line break or quotes were copied with it",),
            next_step="write the key alone",
        )
    return found


def _listed(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                raise RequestError(
                    "others than its owner can read the file of keys", where=str(path), next_step=f"chmod 600 {path}"
                )
            return msgspec.convert(tomllib.load(file), dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        # What is wrong is not quoted: it may be a key.
        raise RequestError(
            f"the file of keys cannot be read ({type(error).__name__})",
            where=str(path),
            next_step='write one key a line: virustotal = "..."',
        ) from None
