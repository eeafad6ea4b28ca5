"""What tests of the site's search share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def wait_for_results(page: Page) -> None:
    """Wait until the search is done: it lists what it finds one by one."""
    page.wait_for_function(
        "() => /finished|found|did not match/.test("
        "document.querySelector('#search-results .search-summary')?.textContent ?? '')"
    )
