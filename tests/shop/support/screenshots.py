"""`make screenshots`: a stack with traffic and one mishap, and pictures of its dashboard in docs/screenshots."""

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import psycopg
from playwright.sync_api import Browser

from devstack.demo.traffic import Traffic
from devstack.state import ROOT
from tests.shop.support.browser import CHROMIUM, WITHOUT_CHROMIUM, Scheme, chromium, visit
from tests.shop.support.whole_stack import WholeStack, whole_stack
from tests.support.wait import until

PICTURES = ROOT / "docs" / "screenshots"
ORDERS_A_SECOND = 2
ORDERS = 180
MISHAP = """
create or replace function fail_on_purpose() returns trigger language plpgsql as $$
begin
    if random() < 0.3 then raise exception 'shelf B7 is locked for stocktaking'; end if;
    return new;
end $$;
create or replace trigger on_purpose before insert on stored_events for each row execute function fail_on_purpose()
"""
DECLINED = """
select order_id from saga_view where declined_at is not null and ended_at is not null order by placed_at desc limit 1
"""
DEAD = "update parked_messages set state = 'dead', attempts = 8 where state = 'retrying'"


class Picture(NamedTuple):
    """One file; `{declined}` in the path is an order that was declined."""

    name: str
    path: str
    width: int = 1300
    scheme: Scheme = "light"
    height: int = 900


ALL = (
    Picture("overview-light", "", height=1100),
    Picture("overview-narrow-dark", "", 400, "dark"),
    Picture("events-dark", "events", scheme="dark", height=580),
    Picture("orders-light", "orders", height=800),
    Picture("order-light", "orders/{declined}", height=980),
    Picture("order-narrow-light", "orders/{declined}", 400),
    Picture("parked-dark", "parked", scheme="dark", height=700),
    Picture("audit-light", "audit", height=800),
    Picture("infrastructure-dark", "infrastructure", scheme="dark", height=800),
)


def main() -> None:
    if CHROMIUM is None:
        sys.exit(f"No pictures were taken: {WITHOUT_CHROMIUM}")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="ordersaga-pictures-") as directory,
        whole_stack(Path(directory) / "s") as stack,
    ):
        traffic = Traffic(stack.shop, ORDERS_A_SECOND)
        traffic.start()
        until(lambda: traffic.placed >= ORDERS, seconds=600, every=1)
        mishap(stack)
        with chromium() as browser:
            for picture in ALL:
                take(browser, stack, picture)
        traffic.stop()


def mishap(stack: WholeStack) -> None:
    """Some messages fail for good, and nothing fails any more."""
    with psycopg.connect(stack.urls["inventory_service"], autocommit=True) as inventory:
        inventory.execute(MISHAP)
        until(lambda: len(inventory.execute("select from parked_messages").fetchall()) >= 3, seconds=120)
        inventory.execute(DEAD)
        inventory.execute("drop trigger on_purpose on stored_events")


def take(browser: Browser, stack: WholeStack, picture: Picture) -> None:
    [(declined,)] = stack.rows("projections", DECLINED)
    with visit(browser, stack, scheme=picture.scheme, width=picture.width) as visited:
        page = visited.open(picture.path.format(declined=declined))
        page.set_viewport_size({"width": picture.width, "height": picture.height})
        page.wait_for_timeout(20_000 if picture.path == "" else 3_000)
        file = PICTURES / f"{picture.name}.png"
        page.screenshot(path=file)
    print(f"{file.relative_to(ROOT)}  {file.stat().st_size // 1000} kB")  # noqa: T201


if __name__ == "__main__":
    main()
