"""What the answers revealed: as a picture and in words, the same in every format."""

from __future__ import annotations

import io
import re

import msgspec
from rich.console import Console
from tests.reports.example import CHASE, INVESTIGATION

from trailhound.model import Chase, Hop, Observable
from trailhound.reports import graph, html, markdown, text
from trailhound.reports.outline import outline


def test_every_format_tells_each_artifact_with_what_became_of_it_and_why() -> None:
    printed = io.StringIO()
    text.render(INVESTIGATION, Console(file=printed, width=100))
    for shown in (html.render(INVESTIGATION), markdown.render(INVESTIGATION), printed.getvalue()):
        folded = " ".join(re.sub(r"<[^>]*>|\\", "", shown).split())
        for lead in CHASE.leads:
            assert lead.status in folded
            assert lead.reason in folded
        assert "P1: production was hit (" in folded
        assert "Does an approved change cover it?” answered yes would make it undetermined." in folded


def test_the_picture_has_a_box_for_each_artifact_and_a_line_for_each_pair_that_leads_on() -> None:
    labels = {uid: said.mark.label for uid, said in outline(INVESTIGATION).answers.items()}
    drawn = str(graph.graph(CHASE, labels, "label"))
    assert drawn.count('class="artifact followed"') == drawn.count('class="artifact aside"') == 1
    assert drawn.count('class="artifact left"') == 1
    assert drawn.count('class="artifact alert"') == 2  # the address and the actor
    assert drawn.count('<path class="hop"') + drawn.count('class="hop"/>') + drawn.count('class="hop"></path>') == 4
    assert "2 hops away" in drawn


def test_boxes_stay_within_the_picture_and_long_names_within_their_box() -> None:
    many = tuple(
        msgspec.structs.replace(
            CHASE.leads[0], observable=Observable(kind="user", value=f"{'x' * 300}{n}"), distance=1 + n % 3
        )
        for n in range(60)
    )
    hops = tuple(
        Hop(source=Observable(kind="ip_address", value="192.0.2.1"), target=one.observable, answer="none")
        for one in many
    )
    drawn = str(graph.graph(Chase(leads=many, hops=hops, budget=6, omitted=0), {}, "label"))
    height = float(re.findall(r'viewBox="0 0 880 ([\d.]+)"', drawn)[0])
    boxes = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" rx="5" class="node" width="([\d.]+)"', drawn)
    assert len(boxes) == graph.DRAWN + 1
    assert all(float(x) + float(width) <= 880.1 and float(y) + 42 <= height for x, y, width in boxes)
    assert max(len(name) for name in re.findall(r'class="name"[^>]*>([^<]*)<', drawn)) < 60
