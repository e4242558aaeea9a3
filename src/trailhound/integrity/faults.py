"""Every fault there is, by slug: which state it means, and what it means in plain words."""

from __future__ import annotations

from typing import NamedTuple

from trailhound.integrity.report import State


class Meaning(NamedTuple):
    state: State
    text: str


FAULTS: dict[str, Meaning] = {
    # an object that is not what was delivered
    "missing": Meaning("broken", "named by a digest, a successor or a signature, and not there"),
    "hash_mismatch": Meaning("broken", "its content has another SHA-256 than the one recorded of it"),
    "invalid_format": Meaning("broken", "it cannot be read as what it should be"),
    "trailing_data": Meaning("broken", "more follows the content that was listed"),
    "signature_invalid": Meaning("broken", "the signature does not fit the digest"),
    "signature_mismatch": Meaning("broken", "its metadata hold another signature than the one that proves it"),
    "moved": Meaning("broken", "it does not lie where it was delivered"),
    "wrong_account": Meaning("broken", "it names another account than its place does"),
    "previous_hash_mismatch": Meaning("broken", "the digest records another SHA-256 of its predecessor"),
    "previous_signature_mismatch": Meaning("broken", "the digest records another signature of its predecessor"),
    "fork": Meaning("broken", "two digests follow the same predecessor"),
    "overlap": Meaning("broken", "its period overlaps that of another digest of its chain"),
    "out_of_order": Meaning("broken", "it names as its predecessor a digest that ends later than it begins"),
    # an object of which nothing here proves what it is
    "unlisted": Meaning("unverifiable", "a log that no digest lists: not covered, which does not mean tampered with"),
    "not_yet_listed": Meaning("unverifiable", "a log delivered after the newest digest: a later one will list it"),
    "digest_unproven": Meaning("unverifiable", "it is as listed, but the digest that lists it is not proven"),
    "digest_broken": Meaning("unverifiable", "only a broken digest lists it"),
    "signature_unknown": Meaning("unverifiable", "there is neither S3 metadata nor a sound successor of the digest"),
    "metadata_unreadable": Meaning("unverifiable", "the file with its S3 metadata cannot be understood"),
    "backfill_time_unknown": Meaning(
        "unverifiable", "when the backfill digest was made is not known, so neither its key"
    ),
    "key_not_found": Meaning("unverifiable", "the public key is not among those at hand"),
    "key_unusable": Meaning("unverifiable", "the public key at hand cannot be used"),
    "algorithm_unsupported": Meaning("unverifiable", "another algorithm than SHA-256 and RSA"),
    "unreadable": Meaning("unverifiable", "its bytes cannot be read here"),
    # time
    "gap": Meaning("unverifiable", "no digest covers this time"),
    "head_gap": Meaning("unverifiable", "no digest covers the beginning of the period"),
    "tail_gap": Meaning("unverifiable", "no digest covers the end of the period: newer ones may have been deleted"),
    "unexplained_start": Meaning(
        "unverifiable", "the chain begins anew, and no call in the logs switched the trail on"
    ),
    "logging_stopped": Meaning("unverifiable", "the trail did not log: what happened then is in no log"),
    "region_missing": Meaning("unverifiable", "the trail covers a Region of which there is no digest of this account"),
}


def state_of(fault: str) -> State:
    """What a fault means; without one, verified."""
    return FAULTS[fault].state if fault else "verified"


DERIVED = frozenset({"digest_unproven", "digest_broken"})  # consequences: counted, the cause is told at the digest
