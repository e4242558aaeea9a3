"""The table of ATT&CK techniques: one row each, known tactics, and no id that leads nowhere."""

from __future__ import annotations

import re
from collections import Counter

from trailhound.vocab import attack, tsv


def test_each_technique_has_one_row() -> None:
    uids = Counter(uid for uid, *_ in tsv.rows("attack"))
    assert [uid for uid, times in uids.items() if times > 1] == []
    assert all(re.fullmatch(r"T1\d{3}(\.\d{3})?", uid) for uid in uids)


def test_tactics_are_of_the_matrix_and_each_has_techniques() -> None:
    used = {tactic for technique in attack.techniques().values() for tactic in technique.tactics}
    assert used == set(attack.TACTICS)


def test_a_superseded_id_leads_to_what_replaced_it() -> None:
    known = attack.techniques()
    assert known["T1562.008"].uid == "T1685.002"
    for uid, technique in known.items():
        assert uid == technique.uid or uid in technique.supersedes
        assert not set(technique.supersedes) & {each.uid for each in known.values()}
