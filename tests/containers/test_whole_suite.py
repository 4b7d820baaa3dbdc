"""The suite in containers, from an empty project to one that is removed with its volumes."""

import pytest
import requests

from devstack.demo.shop import Shop
from tests.containers.project import Project
from tests.support.wait import until

pytestmark = pytest.mark.timeout(1200)

OPERATORS = (
    ("parked", "list"),
    ("queues", "show"),
    ("relay", "status"),
    ("projections", "status"),
    ("projections", "rebuild"),
    ("audit", "verify"),
    ("audit", "trail", "--actor", "alice"),
    ("pause", "order_service", "--reason", "try"),
    ("resume", "order_service", "--reason", "try"),
    ("reconcile",),
)


@pytest.fixture(scope="module")
def shop(project: Project) -> Shop:
    project.up()
    return project.shop()


def test_without_passwords_and_without_dev_nothing_starts_and_both_ways_are_said(image: str) -> None:
    project = Project(variables={})
    done = project.compose("up", "--detach", "--no-build")
    assert done.returncode != 0
    assert "Write your own passwords into .env" in done.stderr
    assert "DEV=1" in done.stderr
    assert project.name not in Project().run("ls", "--all", "--quiet")


def test_a_token_is_printed_before_the_first_start(project: Project) -> None:
    assert project.token("customer", "alice").count(".") == 2


def test_an_order_is_confirmed_over_the_published_ports(shop: Shop, project: Project) -> None:
    shop.stock("tea", "Earl Grey", 890, 10)
    order = shop.order("alice", [("tea", 2)], "pm_card_visa")
    until(lambda: shop.order_of("alice", order)["state"] == "confirmed", seconds=30)
    until(lambda: project.stock_of("tea") == {"on_hand": 8, "reserved": 0}, seconds=30)


def test_a_declined_order_is_cancelled_and_its_stock_released(shop: Shop, project: Project) -> None:
    shop.stock("cup", "Stoneware cup", 1200, 3)
    order = shop.order("bob", [("cup", 3)], "pm_card_chargeDeclined")
    until(lambda: shop.order_of("bob", order)["state"] == "cancelled", seconds=30)
    assert shop.order_of("bob", order)["reason"] == "payment_declined"
    until(lambda: project.stock_of("cup") == {"on_hand": 3, "reserved": 0}, seconds=30)


def test_the_seed_fills_the_shop_and_adds_nothing_the_second_time(shop: Shop, project: Project) -> None:
    first = seeded(project)
    assert first >= 65
    assert {product["sku"] for product in shop.products()} >= {"tea", "lamp"}
    assert seeded(project) == first


def seeded(project: Project) -> int:
    """The orders that the read side knows, after one more run of the seed."""
    # Not with `migrate`, which would build the image anew, and start everything with it.
    project.run("run", "--rm", "-T", "--no-deps", "seed")
    until(lambda: project.compose("run", "--rm", "-T", "ops", "reconcile").returncode == 0, seconds=60, every=1)
    headers = {"Authorization": f"Bearer {project.token('operator', 'test')}"}
    figures = requests.get(f"{project.url('READ_SIDE_PORT')}/api/figures", headers=headers, timeout=10).json()
    return sum(figures["counts"][state] for state in ("placed", "confirmed", "cancelled"))


def test_a_shop_with_other_products_is_not_seeded(shop: Shop, project: Project) -> None:
    shop.price("lens", "Lens", 100)
    assert "Nothing to do" in project.run("run", "--rm", "-T", "--no-deps", "seed")


@pytest.mark.parametrize("command", OPERATORS, ids=" ".join)
def test_an_operator_has_the_rights_for(command: tuple[str, ...], shop: Shop, project: Project) -> None:
    assert project.ops(*command)
