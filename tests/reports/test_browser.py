"""The HTML report in a real browser, as different readers meet it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from tests.reports.example import INVESTIGATION
from tests.reports.hostile import TEXTS, poisoned

from trailhound.reports import html

PAGE = html.render(INVESTIGATION)
ELEMENTS = "document.querySelectorAll('*').length"
CONTRAST = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const c = channels(getComputedStyle(at).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('svg') || !element.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    seen += 1;
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(walker.currentNode.data.trim().slice(0, 40));
  }
  return {seen, faint};
}"""


def test_it_opens_without_a_complaint_or_a_request(show: Callable[..., Any]) -> None:
    assert show(PAGE).problems == []


@pytest.mark.parametrize("text", [" ".join(TEXTS), TEXTS[4]])
def test_hostile_text_runs_nothing_even_without_the_security_policy(show: Callable[..., Any], text: str) -> None:
    clean = show(PAGE).evaluate(ELEMENTS)
    page = show(html.render(poisoned(INVESTIGATION, text)), bypass_csp=True)
    page.mouse.move(200, 200)
    assert page.title().startswith("Malicious: ")
    assert page.evaluate(ELEMENTS) == clean
    assert page.problems == []


def test_the_security_policy_stops_what_would_be_injected(show: Callable[..., Any]) -> None:
    page = show(PAGE)
    page.evaluate("""() => {
      const script = document.createElement('script'); script.textContent = "document.title = 'owned'"; document.body.append(script);
      const image = document.createElement('img'); image.src = 'http://127.0.0.1:9/x.png'; document.body.append(image);
      const style = document.createElement('style'); style.textContent = 'body { display: none }'; document.body.append(style);
    }""")
    assert page.title() != "owned"
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert len([said for said in page.problems if "Content Security Policy" in said]) == 3


def test_every_citation_leads_somewhere(show: Callable[..., Any]) -> None:
    page = show(PAGE)
    lost = page.evaluate(
        "[...document.querySelectorAll('a')].map(a => a.hash.slice(1)).filter(id => !document.getElementById(id))"
    )
    assert lost == []
    assert page.evaluate(
        "document.querySelectorAll('.sentence').length === document.querySelectorAll('.sentence sup a[href^=\"#q\"]:first-child').length"
    )


def test_following_a_citation_unfolds_its_target(show: Callable[..., Any]) -> None:
    assert not show(PAGE).locator("#e29").is_visible()
    assert show(PAGE, "#e29").locator("#e29").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(show: Callable[..., Any], scheme: str) -> None:
    page = show(PAGE, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = page.evaluate(CONTRAST)
    assert found["seen"] > 500
    assert found["faint"] == []


def test_light_and_dark_differ(show: Callable[..., Any]) -> None:
    grounds = {
        show(PAGE, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert len(grounds) == 2


@pytest.mark.parametrize("text", ["", "x" * 300])
def test_nothing_runs_off_the_side(show: Callable[..., Any], text: str) -> None:
    page = show(html.render(poisoned(INVESTIGATION, text)))
    for width in (320, 390, 800, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_can_be_walked_by_keyboard(show: Callable[..., Any]) -> None:
    page = show(PAGE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the narrative"
    page.locator("#q1 summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#q1 pre").is_visible()


def test_a_screen_reader_finds_headings_lists_and_named_pictures(show: Callable[..., Any]) -> None:
    page = show(PAGE)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    names = [picture.get_attribute("aria-label") for picture in page.get_by_role("img").all()]
    assert len(names) == 3
    assert any("Fri 03:00 to 03:59 UTC: 10 alerting events" in (name or "") for name in names)
    assert all(page.get_by_role("article", name=answer.asks).count() for answer in INVESTIGATION.answers)


def test_paper_shows_what_a_screen_folds(show: Callable[..., Any]) -> None:
    page = show(PAGE, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("#e29").is_visible()
    assert page.get_by_text(INVESTIGATION.answers[-1].not_covered).last.is_visible()
    assert not page.locator("#q23 pre").is_visible()
    assert page.get_by_text("The query behind each answer").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_the_alerting_hour_is_marked_by_shape(show: Callable[..., Any]) -> None:
    page = show(PAGE)
    frames = page.locator(".heat-map .alert-frame")
    assert frames.count() == page.locator(".heat-map .alert-corner").count() == 1
    cell, title = frames.bounding_box(), page.locator(".heat-map title", has_text="Fri 03: 0 before, 10 in the alert")
    assert title.count() == 1
    column = page.locator(".heat-map text.column.marked").bounding_box()
    assert abs((cell["x"] + cell["width"] / 2) - (column["x"] + column["width"] / 2)) < 2
