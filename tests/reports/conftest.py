"""A real browser for the tests that look at a page as a reader's machine does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        reason = f"Chromium is not at {CHROMIUM}; install Debian's package `chromium` to run this test"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens HTML as a file; keyword arguments are those of a browser context."""
    contexts = []

    def show(html: str, anchor: str = "", **settings: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(html, "utf-8")
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.problems = []  # whatever the page says or does that a document should not
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("dialog", lambda dialog: (page.problems.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda request: None if request.url.startswith(file.as_uri()) else page.problems.append(request.url),
        )
        page.goto(file.as_uri() + anchor)
        return page

    yield show
    for context in contexts:
        context.close()
