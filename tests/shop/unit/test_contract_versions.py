"""A new version of a contract is not ignored in silence: groups hear it, and views of older versions are refused."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import projections
from contracts import CONTRACTS
from contracts.contract import Contract
from contracts.orders import OrderPlaced
from ordersaga.broker.topology import receives
from ordersaga.envelope.versions import kind_of, newest, versions_of
from ordersaga.readside.read_side import ReadSide
from projections.queries.payments import PaymentRow
from projections.queries.sagas import Saga
from projections.service import projections as read_side
from projections.views import VIEWS, payments, sagas
from projections.views.columns import field_of, received_names_of
from projections.views.view import FoldedView, view_of_orders

NOT_SHOWN: dict[str, str] = {}
"""By contract, why no view has a column of it."""
LITERAL = re.compile(r"\b[a-z_]+\.[a-z_]+\.v\d+\b")


class OrderPlacedV2(OrderPlaced):
    """An order as a later version of the order service announces it."""

    NAME: ClassVar[str] = "orders.order_placed.v2"
    PREDECESSOR: ClassVar[type[Any] | None] = OrderPlaced

    @classmethod
    def upcast(cls, old: OrderPlaced) -> "OrderPlacedV2":
        return cls(**dict(old))


GROWN: dict[str, type[Contract]] = {**CONTRACTS, OrderPlacedV2.NAME: OrderPlacedV2}


def not_shown(contracts: Iterable[type[Contract]], views: Iterable[FoldedView]) -> Iterator[str]:
    """The newest versions that no column of a view is of."""
    shown = {contract.NAME for view in views for told in view.facts.values() for contract in told}
    yield from (contract.NAME for contract in newest(contracts) if contract.NAME not in {*shown, *NOT_SHOWN})


def read_side_of(*views: FoldedView) -> ReadSide:
    return ReadSide("later", read_side.sources, GROWN, {view.table: view.fold for view in views})


def test_every_contract_is_shown_in_its_newest_version() -> None:
    assert [*not_shown(CONTRACTS.values(), VIEWS.values())] == []
    assert [*not_shown(GROWN.values(), VIEWS.values())] == [OrderPlacedV2.NAME]


def test_every_version_of_a_contract_is_one_that_the_newest_upcasts() -> None:
    for contract in newest(CONTRACTS.values()):
        chain = {version.NAME for version in versions_of(contract)}
        assert {name for name in CONTRACTS if kind_of(name) == kind_of(contract.NAME)} == chain


def test_whoever_hears_one_version_hears_all() -> None:
    for service in read_side.sources:
        heard = {name for name in service.reactions.by_contract if receives(service.contracts, name)}
        assert heard == service.reactions.by_contract.keys()
        later = {kind_of(name) + ".v9" for name in heard}
        assert all(receives(service.contracts, name) for name in later)


def test_a_view_of_an_older_version_keeps_the_read_side_from_starting() -> None:
    read_side_of(*(view for view in VIEWS.values() if view is not sagas.VIEW))
    with pytest.raises(ValueError, match=f"saga_view names {OrderPlaced.NAME}: name {OrderPlacedV2.NAME}"):
        read_side_of(sagas.VIEW)


def test_a_view_that_reads_what_was_received_may_not_name_a_version_alone() -> None:
    column = field_of("total", OrderPlacedV2)
    view = view_of_orders("later_view", {"total": column})
    read_side_of(view)
    missing = FoldedView("later_view", view.fold.replace("upcast_log", "event_log"))
    with pytest.raises(ValueError, match=r"would miss the older versions of orders\.order_placed\.v2: read upcast_log"):
        read_side_of(missing)


def test_what_counts_messages_as_they_were_received_counts_all_versions() -> None:
    assert received_names_of([OrderPlacedV2]) == "'orders.order_placed.v2', 'orders.order_placed.v1'"


@pytest.mark.parametrize(("field", "error"), [("totals", "totals"), ("unit_price", "unit_price")])
def test_a_column_of_a_field_that_the_contract_lacks_is_refused(field: str, error: str) -> None:
    with pytest.raises(KeyError, match=error):
        field_of(field, OrderPlaced)


def test_the_views_of_orders_are_shown_with_every_column() -> None:
    assert set(sagas.COLUMNS) <= set(Saga.model_fields)
    assert set(payments.COLUMNS) <= set(PaymentRow.model_fields)


@pytest.mark.parametrize("file", sorted(Path(projections.__path__[0]).rglob("*.py")), ids=lambda path: path.name)
def test_the_read_side_takes_names_of_contracts_from_the_contracts(file: Path) -> None:
    assert LITERAL.findall(file.read_text()) == []
