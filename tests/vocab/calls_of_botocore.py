"""Writes vocab/calls.tsv anew from the installed botocore: `python tests/vocab/calls_of_botocore.py`."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import botocore

TABLE = Path(__file__).parents[2] / "src/trailhound/vocab/calls.tsv"


def calls() -> dict[str, set[str]]:
    """Operations by every name that may be the first part of eventSource: folder, endpoint, and name of signing."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(Path(botocore.__file__).parent.glob("data/*/*/service-2.json.gz")):
        model = json.loads(gzip.decompress(path.read_bytes()))
        endpoint = model["metadata"].get("endpointPrefix", "").split(".")
        names = {path.parts[-3], endpoint[0], endpoint[-1], model["metadata"].get("signingName", "")}
        for name in names - {""}:
            found[name] |= model["operations"].keys()
    return found


if __name__ == "__main__":
    header = [line for line in TABLE.read_text("utf-8").splitlines() if line[0] == "#"]
    rows = [f"{service}\t{' '.join(sorted(names))}" for service, names in sorted(calls().items())]
    TABLE.write_text("\n".join([*header, "service\tcalls", *rows]) + "\n", "utf-8")
