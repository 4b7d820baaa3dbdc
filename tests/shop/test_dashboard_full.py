"""Every page of the dashboard over a log that is not small."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.shop.support.browser import CHROMIUM, TIMEOUT_MS, WITHOUT_CHROMIUM, chromium, visit_at
from tests.shop.support.read_side import filled
from tests.support.api import Api, running, token
from tests.support.databases import Databases

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT_CHROMIUM)
ORDERS = 4_500
"""Some 20,000 events."""


@pytest.fixture(scope="module")
def api(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The read side alone."""
    directory = tmp_path_factory.mktemp("api")
    with running(filled(databases("projections"), ORDERS), directory, AUDIT_CHECKPOINTS=str(directory)) as api:
        yield api


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_every_page_shows_its_rows_with_twenty_thousand_events_in_the_log(api: Api, browser: Browser) -> None:
    [(events,)] = api.database.rows("select count(*) from event_log")
    assert events > 20_000
    [(order,)] = api.database.rows(
        "select order_id from saga_view where state = 'confirmed' order by placed_at limit 1"
    )
    rows = {
        "": "#overview-recent tbody tr",
        "events": "#events-list li",
        "orders": ".ag-row",
        f"orders/{order}": "#order-timeline li",
        "audit": "#audit-trail tbody tr",
        "parked": "#parked-top .state",
        "infrastructure": "#infra-tiles .tile",
    }
    with visit_at(browser, api.url, token("operator", "olivia")) as visited:
        for path, row in rows.items():
            expect(visited.open(path).locator(row).first).to_be_visible(timeout=TIMEOUT_MS)
        assert visited.complaints == []
