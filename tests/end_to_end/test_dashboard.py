"""The dashboard in a browser, against the running stack."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from contracts.payments import PartRefundRequested
from tests.shop.support.browser import CHROMIUM, TIMEOUT_MS, WITHOUT_CHROMIUM, Scheme, Visit, chromium, visit
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT_CHROMIUM),
    pytest.mark.timeout(300),
]
LINES = [("tea", 2), ("cup", 1)]
COLOURS: dict[Scheme, tuple[str, ...]] = {"light": (), "dark": ("color-contrast",)}
"""Colour scheme -> the rules of axe, none is all: another scheme changes nothing but colours."""
PAGES = {
    "": "Overview",
    "alarms": "Alarms",
    "events": "Live events",
    "orders": "Orders",
    "payments": "Payments",
    "stock": "Stock",
    "parked": "Parked messages",
    "audit": "Audit",
    "webhooks": "Webhooks",
    "infrastructure": "Infrastructure",
}
NOT_FOUND = {
    "events": "Event not found",
    "orders": "Order not found",
    "payments": "Payment not found",
    "stock": "Product not found",
    "audit": "Message not found",
    "webhooks": "Webhook not found",
}
QUICK = "parked"
"""The page that a browser has in half the time of the overview."""
FAIL = """
create or replace function fail_on_purpose() returns trigger language plpgsql as $$
begin
    raise exception 'the shelves fail on purpose';
end $$;
create trigger on_purpose before insert on stored_events for each row execute function fail_on_purpose()
"""
RETRY = "update parked_messages set state = 'retrying', next_attempt_at = now() where key = %s and state = 'dead'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def ordered(stack: WholeStack, card: str = "pm_card_visa") -> str:
    return str(stack.shop().order("alice", LINES, card))


@contextmanager
def parked_order(stack: WholeStack, lines: Sequence[tuple[str, int]]) -> Iterator[str]:
    """An order whose first message is dead at the inventory, for a cause that is mended by now."""
    of_order = "from parked_messages where key = %s"
    with psycopg.connect(stack.urls["inventory_service"], autocommit=True) as inventory:
        inventory.execute(FAIL)
        try:
            order = str(stack.shop().order("alice", lines, "pm_card_visa"))
            until(lambda: inventory.execute(f"select {of_order}", (order,)).fetchall(), seconds=60)
        finally:
            inventory.execute("drop trigger on_purpose on stored_events")
        inventory.execute("update parked_messages set state = 'dead', attempts = 8 where key = %s", (order,))
        try:
            yield order
        finally:  # the next test finds nothing parked, also when this one has failed
            inventory.execute(RETRY, (order,))


def opened(visited: Visit, order: str) -> Page:
    """The page of this order's parked message."""
    page = visited.open("parked")
    page.locator("#parked-rows tr", has_text=order[-8:]).get_by_role("link").click(timeout=TIMEOUT_MS)
    expect(page.locator("#message-detail")).to_contain_text("the shelves fail on purpose", timeout=TIMEOUT_MS)
    return page


def answered(page: Page, text: str) -> Locator:
    """The answer to an action, which has the focus."""
    answer = page.locator("#message-result")
    expect(answer).to_contain_text(text, timeout=TIMEOUT_MS)
    expect(answer).to_be_focused()
    return answer


def test_an_order_placed_over_http_appears_and_walks_through_its_steps_without_reload(
    stack: WholeStack, browser: Browser
) -> None:
    with visit(browser, stack) as visited:
        page = visited.open("")
        page.evaluate("window.not_reloaded = true")
        order = ordered(stack)
        page.locator(f"#overview-recent a[href$='{order}']").click(timeout=TIMEOUT_MS)
        for step in ("Placed", "Stock reserved", "Payment captured", "Confirmed"):
            expect(page.locator(".flow-done", has_text=step)).to_have_count(1, timeout=TIMEOUT_MS)
        expect(page.locator("#order-timeline")).to_contain_text("Stock shipped", timeout=TIMEOUT_MS)
        expect(page.locator("#order-head")).to_contain_text("€10.50")
        assert page.evaluate("window.not_reloaded")
        assert visited.complaints == []


def test_a_declined_order_shows_its_compensation_on_a_page_that_passes_axe_and_fits_a_telephone(
    stack: WholeStack, browser: Browser
) -> None:
    order = ordered(stack, "pm_card_chargeDeclined")
    with visit(browser, stack, width=400) as visited:
        visited.page.emulate_media(color_scheme="dark")
        page = visited.open(f"orders/{order}")
        expect(page.locator(".flow-failed")).to_contain_text("Payment declined", timeout=TIMEOUT_MS)
        for step in ("Order cancelled", "Stock released"):
            expect(page.locator(".flow-compensation.flow-compensated", has_text=step)).to_have_count(
                1, timeout=TIMEOUT_MS
            )
        assert page.locator(".flow-compensation").count() == 2
        expect(page.locator("#order-timeline")).to_contain_text("Order cancelled", timeout=TIMEOUT_MS)
        assert visited.serious() == []
        assert visited.width() == 400


def test_live_events_come_by_themselves_stop_for_a_pause_and_open_as_text(stack: WholeStack, browser: Browser) -> None:
    with visit(browser, stack) as visited:
        page = visited.open("events")
        order = ordered(stack)
        rows = page.locator(f"#events-list li:has(a[href$='{order}'])")
        expect(rows).to_have_count(5, timeout=TIMEOUT_MS)
        page.locator("#events-pause").click()
        rows.last.locator("button").click()
        detail = page.get_by_role("dialog")
        expect(detail).to_contain_text("orders.order_placed.v1", timeout=TIMEOUT_MS)
        expect(detail.locator("pre")).to_contain_text('"customer": "alice"')
        later = ordered(stack)
        until(lambda: stack.rows("projections", "select from event_log where key = %s", later))
        page.keyboard.press("Escape")
        assert page.locator(f"#events-list a[href$='{later}']").count() == 0
        page.locator("#events-pause").click()
        expect(page.locator(f"#events-list a[href$='{later}']").first).to_be_visible(timeout=TIMEOUT_MS)


def test_a_parked_message_is_dry_run_edited_and_retried_from_its_page_by_an_operator_alone(
    stack: WholeStack, browser: Browser
) -> None:
    with parked_order(stack, LINES) as order:
        with visit(browser, stack, role="auditor") as visited:
            page = opened(visited, order)
            expect(page.get_by_role("button", name="Retry", exact=True)).to_be_disabled(timeout=TIMEOUT_MS)
            address = page.url.partition("/dashboard/")[2]
        with visit(browser, stack) as visited:
            page = visited.open(address)
            page.get_by_role("button", name="Dry run").click()
            answered(page, "Everything was rolled back")
            assert stack.rows("inventory_service", "select from parked_messages where key = %s", order)
            page.get_by_role("button", name="Retry", exact=True).click()
            expect(page.locator("main")).to_contain_text("Give a reason", timeout=TIMEOUT_MS)
            page.get_by_role("button", name="Edit and retry").click()
            replace, text = page.get_by_role("button", name="Replace the body and retry"), page.get_by_label("New body")
            expect(text).to_have_value(re.compile('"customer": "alice"'), timeout=TIMEOUT_MS)
            body = text.input_value()
            text.fill(body.replace('"quantity": 2', '"quantity": 0'))
            expect(page.locator("#message-text-problems")).to_contain_text("lines.0.quantity", timeout=TIMEOUT_MS)
            expect(replace).to_be_disabled()
            text.fill(body.replace('"customer": "alice"', '"customer": "alison"'))
            expect(page.locator(".diff-added")).to_contain_text('"customer": "alison"', timeout=TIMEOUT_MS)
            expect(page.locator(".diff-removed")).to_contain_text('"customer": "alice"')
            assert visited.serious() == []
            page.get_by_label("Reason").fill("the shelves are mended")
            replace.click()
            answer = answered(page, "The retry is due now")
            expect(page.locator("#message-detail")).to_contain_text("No longer parked", timeout=TIMEOUT_MS)
            answer.get_by_role("link", name=re.compile("order")).click()
            expect(page.locator("main h1")).to_have_text(f"Order {order[-8:]}", timeout=TIMEOUT_MS)
            assert visited.complaints == []
        done = "select actor, reason from parked_actions where key = %s and action = 'edit'"
        assert stack.rows("inventory_service", done, order) == [("olivia", "the shelves are mended")]
        until(lambda: stack.shop().order_of("alice", UUID(order))["state"] == "confirmed", seconds=60)


def test_a_message_is_skipped_only_after_the_page_has_said_what_that_loses(stack: WholeStack, browser: Browser) -> None:
    with parked_order(stack, LINES) as order, visit(browser, stack) as visited:
        page = opened(visited, order)
        page.get_by_role("button", name="Skip for good").click()
        dialog = page.get_by_role("dialog", name="Skip this message?")
        expect(dialog).to_contain_text("Inventory never runs", timeout=TIMEOUT_MS)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden(timeout=TIMEOUT_MS)
        assert stack.rows("inventory_service", "select from parked_messages where key = %s", order)
        visited.go("parked")
        page.locator("#parked-rows tr", has_text=order[-8:]).get_by_role("checkbox").check(timeout=TIMEOUT_MS)
        expect(page.locator("#parked-many")).to_have_text("1 message chosen", timeout=TIMEOUT_MS)
        page.get_by_role("button", name="Skip", exact=True).click()
        dialog = page.get_by_role("dialog", name="Skip these messages?")
        expect(dialog).to_contain_text("This cannot be undone", timeout=TIMEOUT_MS)
        dialog.get_by_label("Reason").fill("a test order")
        dialog.get_by_role("button", name="Skip for good").click()
        expect(page.locator("#parked-result")).to_contain_text("1 message skipped", timeout=TIMEOUT_MS)
        expect(page.locator("#parked-result")).to_be_focused()
        done = "select action, reason from parked_actions where key = %s"
        assert stack.rows("inventory_service", done, order) == [("skip", "a test order")]
        stack.shop().cancel("alice", UUID(order))


def test_an_operator_acts_from_the_page_of_an_order_and_reads_its_messages_in_place(
    stack: WholeStack, browser: Browser
) -> None:
    with parked_order(stack, LINES) as order:
        with visit(browser, stack, role="auditor") as visited:
            page = visited.open(f"orders/{order}")
            expect(page.get_by_role("button", name="Cancel order")).to_be_disabled(timeout=TIMEOUT_MS)
        with visit(browser, stack) as visited:
            page = visited.open(f"orders/{order}")
            result = page.locator("#order-result")
            retry = page.locator("#order-parked").get_by_role("button", name="Retry")
            expect(retry).to_be_visible(timeout=2 * TIMEOUT_MS)
            retry.click()
            expect(result).to_contain_text("Enter a reason first", timeout=TIMEOUT_MS)
            page.get_by_label("Reason").fill("the shelves are mended")
            retry.click()
            expect(result).to_contain_text("The retry is due now", timeout=TIMEOUT_MS)
            expect(page.locator(".flow-done", has_text="Confirmed")).to_have_count(1, timeout=TIMEOUT_MS)
            page.get_by_label("Reason").fill("the customer <b>called</b>")
            page.get_by_role("button", name="Add note").click()
            expect(page.locator(".timeline-note")).to_have_text(
                "olivia: the customer <b>called</b>", timeout=TIMEOUT_MS
            )
            page.locator(".timeline summary", has_text="Order placed").press("Enter")
            expect(page.locator(".timeline details[open] pre")).to_contain_text('"customer": "alice"')
            refund_a_part(page)
            page.get_by_label("Reason").fill("wrong address")
            page.get_by_role("button", name="Cancel order").click()
            page.get_by_role("button", name="Yes, cancel the order").click(timeout=TIMEOUT_MS)
            expect(page.locator(".flow-compensation", has_text="wrong address")).to_have_count(1, timeout=TIMEOUT_MS)
            assert visited.complaints == []
        assert stack.rows("inventory_service", "select reason from parked_actions where key = %s", order) == [
            ("the shelves are mended",)
        ]
        assert stack.shop().order_of("alice", UUID(order))["reason"] == "wrong address"
        asked = "select actor from outbox where key = %s and contract = %s"
        assert stack.rows("payment_service", asked, order, PartRefundRequested.NAME) == [("olivia",)]
        until(lambda: stack.shop().payment_of(UUID(order))["state"] == "refunded")
        paid = stack.shop().payment_of(UUID(order))
        assert (paid["refunded"], [part["amount"] for part in paid["refunds"]]) == (paid["amount"], [150])


def refund_a_part(page: Page) -> None:
    """After what is not possible was said; a button that is pressed twice refunds once."""
    result, part = page.locator("#order-result"), page.get_by_role("button", name="Refund a part")
    page.get_by_label("Reason").fill("one cup was broken")
    for amount, said in (("a cup", "Enter the amount to refund first"), ("9999", "is more than the")):
        page.get_by_label("Amount of a part").fill(amount)
        part.click()
        expect(result).to_contain_text(said, timeout=TIMEOUT_MS)
    page.get_by_label("Amount of a part").fill("1.50")
    part.click()
    page.get_by_role("button", name="Yes, refund €1.50").dblclick(timeout=TIMEOUT_MS)
    expect(result).to_contain_text("The refund is requested", timeout=TIMEOUT_MS)
    made = page.locator("dl.pairs", has_text="Part 1")
    expect(made).to_contain_text("€1.50 Refunded", timeout=TIMEOUT_MS)
    expect(made).to_contain_text("one cup was broken")


def test_a_dry_run_of_an_order_of_many_lines_is_shown_and_the_page_goes_on(stack: WholeStack, browser: Browser) -> None:
    shop = stack.shop()
    skus = [f"tin-{number}" for number in range(60)]
    for sku in skus:
        shop.price(sku, sku.title(), 350)
        shop.receive(sku, 1)
    with parked_order(stack, [(sku, 1) for sku in skus]) as order, visit(browser, stack) as visited:
        page = opened(visited, order)
        page.get_by_role("button", name="Dry run").click()
        answered(page, "Everything was rolled back")
        for _ in range(2):
            with page.expect_response(lambda answer: "message-detail" in (answer.request.post_data or "")) as seen:
                pass
            assert seen.value.status == 200
        page.get_by_label("Reason").fill("the shelves are mended")
        page.get_by_role("button", name="Retry", exact=True).click()
        answered(page, "The retry is due now")
        assert visited.complaints == []


def test_no_callback_is_sent_what_a_page_shows_or_a_button_of_every_row(stack: WholeStack) -> None:
    address, session = stack.url("projections-api"), stack.token("operator", "olivia")
    cookies = {f"session_{address.rpartition(':')[2]}": session}
    callbacks = requests.get(f"{address}/dashboard/_dash-dependencies", cookies=cookies, timeout=10).json()
    asked = [each for each in callbacks if not each["clientside_function"]]
    assert asked
    sent = [what for each in asked for what in each["inputs"] + each["state"]]
    assert [what for what in sent if what["property"] == "children" or "ALL" in what["id"]] == []


def test_every_page_fits_a_telephone_passes_axe_complains_of_nothing_and_asks_nobody_else(
    stack: WholeStack, browser: Browser
) -> None:
    with visit(browser, stack, width=400) as visited:
        page = visited.open("")
        for path, heading in PAGES.items():
            page.set_viewport_size({"width": 400, "height": 900})
            visited.go(path)
            expect(page.locator("main h1")).to_have_text(heading, timeout=TIMEOUT_MS)
            visited.wait_until_filled()
            assert visited.width() == 400, path
            page.set_viewport_size({"width": 1300, "height": 900})
            for scheme in COLOURS:
                page.emulate_media(color_scheme=scheme)
                expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)
                assert visited.serious(*COLOURS[scheme]) == [], (path, scheme)
        assert visited.complaints == []
        assert visited.elsewhere == []


def test_a_colour_scheme_that_is_chosen_stays(stack: WholeStack, browser: Browser) -> None:
    with visit(browser, stack) as visited:
        page = visited.open(QUICK)
        page.get_by_role("button", name="Switch between light and dark").click()
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_the_keyboard_leads_past_the_navigation_and_to_every_page(stack: WholeStack, browser: Browser) -> None:
    with visit(browser, stack) as visited:
        page = visited.open(QUICK)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to content")
        page.locator(".side a", has_text="Orders").focus()
        page.keyboard.press("Enter")
        expect(page.locator("main h1")).to_have_text("Orders", timeout=TIMEOUT_MS)
        expect(page).to_have_title(re.compile("^Orders"))


def test_links_and_the_enter_key_lead_to_an_order_in_place_and_back_leads_back(
    stack: WholeStack, browser: Browser
) -> None:
    order = ordered(stack)
    with visit(browser, stack) as visited:
        page = visited.open("orders")
        page.evaluate("window.not_reloaded = true")
        row = page.locator(f".ag-row[row-id='{order}']")
        row.locator("a").click(timeout=TIMEOUT_MS)
        expect(page.locator("main h1")).to_have_text(f"Order {order[-8:]}", timeout=TIMEOUT_MS)
        page.go_back()
        expect(page.locator("main h1")).to_have_text("Orders", timeout=TIMEOUT_MS)
        row.locator("[col-id=customer]").click(timeout=TIMEOUT_MS)
        page.keyboard.press("Enter")
        expect(page.locator("main h1")).to_have_text(f"Order {order[-8:]}", timeout=TIMEOUT_MS)
        assert page.evaluate("window.not_reloaded")


def test_an_event_that_was_closed_opens_again(stack: WholeStack, browser: Browser) -> None:
    ordered(stack)
    with visit(browser, stack) as visited:
        page = visited.open("events")
        page.locator("#events-pause").click()
        for _ in range(2):
            page.locator("#events-list button").first.click()
            expect(page.get_by_role("dialog")).to_be_visible(timeout=TIMEOUT_MS)
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_be_hidden(timeout=TIMEOUT_MS)


def test_the_search_of_every_page_opens_what_its_text_names_and_says_what_it_can_find(
    stack: WholeStack, browser: Browser
) -> None:
    order = ordered(stack)
    until(lambda: stack.rows("projections", "select from saga_view where order_id = %s", order))
    with visit(browser, stack) as visited:
        page = visited.open(QUICK)
        page.keyboard.press("Control+k")
        page.keyboard.type(order[-8:].upper())
        expect(page.get_by_role("option")).to_contain_text(order, timeout=TIMEOUT_MS)
        page.keyboard.press("Enter")
        expect(page.locator("main h1")).to_have_text(f"Order {order[-8:]}", timeout=TIMEOUT_MS)
        page.keyboard.press("Control+k")
        page.keyboard.type("tea")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/stock/tea$"), timeout=TIMEOUT_MS)
        page.keyboard.press("Control+k")
        page.keyboard.type("no such thing")
        page.keyboard.press("Enter")
        expect(page.get_by_text("A search finds an order by its id")).to_be_visible(timeout=TIMEOUT_MS)
        visited.go(f"search?q={order[:8]}")
        page.locator(f"#search-found a[href$='{order}']").click(timeout=TIMEOUT_MS)
        expect(page.locator("main h1")).to_have_text(f"Order {order[-8:]}", timeout=TIMEOUT_MS)
        visited.go(f"orders/{order[-8:]}")
        expect(page.locator("#order-head")).to_contain_text(order, timeout=TIMEOUT_MS)
        page.get_by_role("button", name=f"Copy order id {order}").click()
        expect(page.locator("#copy-said")).to_have_attribute("data-copied", order, timeout=TIMEOUT_MS)
        assert visited.complaints == []


def test_an_address_that_names_nothing_is_answered_in_words(stack: WholeStack, browser: Browser) -> None:
    with visit(browser, stack) as visited:
        for number, unknown in enumerate(("garbage", "{}", "85c68938-b582-4580-875a-10b202bbf0a8")):
            for path, said in NOT_FOUND.items():
                page = visited.go(f"{path}/{unknown}") if number else visited.open(f"{path}/{unknown}")
                expect(page.get_by_text(said)).to_be_visible(timeout=TIMEOUT_MS)
                expect(page).to_have_url(re.compile(f"/{path}/{re.escape(quote(unknown))}$"))
        assert visited.complaints == []


def test_a_server_that_is_away_or_makes_a_mistake_is_said_and_its_return_too(
    stack: WholeStack, browser: Browser
) -> None:
    outages = {".away-away": lambda route: route.abort(), ".away-failed": lambda route: route.fulfill(status=500)}
    with visit(browser, stack) as visited:
        page = visited.open(QUICK)
        for notice, outage in outages.items():
            page.route("**/_dash-update-component**", outage)
            expect(page.locator(notice)).to_be_visible(timeout=TIMEOUT_MS)
            page.unroute("**/_dash-update-component**")
            expect(page.locator(notice)).to_be_hidden(timeout=TIMEOUT_MS)


def test_a_database_that_does_not_answer_is_said_and_its_return_too(stack: WholeStack, browser: Browser) -> None:
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'projections'"
    with psycopg.connect(stack.urls["order_service"], autocommit=True) as owner, visit(browser, stack) as visited:
        page = visited.open("")
        owner.execute("alter role projections nologin")
        try:
            owner.execute(cut)
            expect(page.locator(".away-database")).to_be_visible(timeout=TIMEOUT_MS)
            expect(page.locator("#overview-tiles")).to_contain_text("Messages")
            expect(page.locator(".live-off")).to_be_visible()
        finally:
            owner.execute("alter role projections login")
        expect(page.locator(".away-database")).to_be_hidden(timeout=TIMEOUT_MS)
        expect(page.locator(".live-on")).to_be_visible()


def test_nobody_sees_the_dashboard_unless_signed_in_and_nothing_may_frame_it(stack: WholeStack) -> None:
    address = f"{stack.url('projections-api')}/dashboard/"
    page = requests.get(address, allow_redirects=False, timeout=10)
    assert (page.status_code, page.headers["Location"].partition("?")[0]) == (303, "/sign-in")
    update = requests.post(f"{address}_dash-update-component", json={}, timeout=10)
    assert update.status_code == 401


def test_a_page_of_another_site_cannot_act_with_the_cookie(stack: WholeStack) -> None:
    address = stack.url("projections-api")
    port = address.rpartition(":")[2]
    cookies = {f"session_{port}": stack.token("operator", "olivia")}
    page = requests.get(f"{address}/dashboard/", cookies=cookies, timeout=10)
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    forged = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    update = requests.post(
        f"{address}/dashboard/_dash-update-component", json={}, cookies=cookies, headers=forged, timeout=10
    )
    assert update.status_code == 403


def test_who_signs_out_in_another_tab_is_told_so_and_led_to_the_door(stack: WholeStack, browser: Browser) -> None:
    with visit(browser, stack) as visited:
        page = visited.open(QUICK)
        other = page.context.new_page()
        other.goto(visited.dashboard + QUICK)
        other.get_by_role("button", name="Sign out").click(timeout=TIMEOUT_MS)
        other.wait_for_url("**/sign-in")
        expect(page.locator(".away-signed-out")).to_be_visible(timeout=TIMEOUT_MS)
        page.get_by_role("link", name="Sign in again").click()
        page.wait_for_url("**/sign-in**")
