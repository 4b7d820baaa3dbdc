"""The system's Chromium, signed in to a dashboard; what it complains of and whom it asks is remembered."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.shop.support.whole_stack import WholeStack

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
CHROMIUM = shutil.which("chromium")
WITHOUT_CHROMIUM = "there is no chromium on this machine; apt-get install chromium"
TIMEOUT_MS = 30_000
"""Milliseconds; a machine that runs a whole stack and a browser may be slow."""
LEFT_GRAPH = "Cannot read properties of null (reading 'notify')"
"""Cytoscape ends a batch of changes without a look whether the page that shows the graph was left meanwhile."""
Scheme = Literal["light", "dark"]
CONTEXTS: dict[tuple[Browser, str, str, Scheme], BrowserContext] = {}
"""(browser, address, token, colour scheme) -> the browser profile of its visits, so that scripts are compiled once."""


@dataclass
class Visit:
    """A page of the dashboard in a browser of its own."""

    page: Page
    dashboard: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        if LEFT_GRAPH not in text:
            self.complaints.append(text)

    def open(self, path: str) -> Page:
        """Returns when the page shows something else than what holds its place."""
        self.page.goto(self.dashboard + path)
        expect(self.page.locator("main h1")).to_be_visible(timeout=TIMEOUT_MS)
        self.wait_until_filled()
        return self.page

    def wait_until_filled(self) -> None:
        expect(self.page.locator("main .skeleton:visible")).to_have_count(0, timeout=TIMEOUT_MS)

    def go(self, path: str) -> Page:
        """In place, as a link of the page leads there: a tenth of the work of `open`. Returns at once."""
        self.page.evaluate("address => dash_clientside.navigation.go(address)", f"/dashboard/{path}")
        return self.page

    def serious(self, *rules: str) -> list[str]:
        """What axe finds serious or critical, by these rules or by all, with the first place of each."""
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = Axe().run(self.page, options=options).response["violations"]
        bad = [each for each in found if each["impact"] in ("serious", "critical")]
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in bad]

    def width(self) -> int:
        """Of everything on the page, in pixels."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@cache
def token_of(stack: WholeStack, role: str) -> str:
    return stack.token(role, "olivia")


def visit(
    browser: Browser, stack: WholeStack, role: str = "operator", scheme: Scheme = "light", width: int = 1300
) -> AbstractContextManager[Visit]:
    """The dashboard of this stack."""
    return visit_at(browser, stack.url("projections-api"), token_of(stack, role), scheme, width)


@contextmanager
def visit_at(browser: Browser, home: str, token: str, scheme: Scheme = "light", width: int = 1300) -> Iterator[Visit]:
    """Signed in: by the form, as a person does it, for the first visit with this token, then with what it left."""
    context = context_of(browser, home, token, scheme)
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    made = Visit(page, f"{home}/dashboard/")
    page.on("console", lambda said: made.complain(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: made.complain(str(error)))
    page.on("request", lambda request: None if here(request.url, home) else made.elsewhere.append(request.url))
    if not context.cookies():
        sign_in(page, made.dashboard, token)
    try:
        yield made
        page.evaluate("localStorage.clear()")
    finally:
        for opened in context.pages:
            opened.close()


def context_of(browser: Browser, home: str, token: str, scheme: Scheme) -> BrowserContext:
    if (browser, home, token, scheme) not in CONTEXTS:
        context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
        context.set_default_timeout(TIMEOUT_MS)
        CONTEXTS[browser, home, token, scheme] = context
    return CONTEXTS[browser, home, token, scheme]


def sign_in(page: Page, address: str, token: str) -> None:
    page.goto(address)
    page.locator("[name=token]").fill(token)
    page.locator("form [type=submit], form button").first.click()
    page.wait_for_url(f"{address}**")


def here(url: str, home: str) -> bool:
    return url.startswith((home, "data:", "blob:"))
