"""A contract, or a new version of one, is not ignored in silence: the read side and the groups that heard it say so."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

import projections
from contracts import CONTRACTS
from contracts.contract import Contract
from contracts.orders import OrderPlaced
from projections.queries.payments import PaymentRow
from projections.queries.sagas import Saga
from projections.service import projections as read_side
from projections.views import VIEWS, payments, sagas
from projections.views.columns import field_of
from projections.views.view import Contracts, FoldedView, view_of_orders

HEARD = {service.group: set(service.contracts) for service in read_side.sources}
NOT_SHOWN: dict[str, str] = {}
"""By contract, why no view has a column of it."""
LITERAL = re.compile(r"\b[a-z_]+\.[a-z_]+\.v\d+\b")


class OrderPlacedV2(OrderPlaced):
    """An order as a later version of the order service announces it."""

    NAME: ClassVar[str] = "orders.order_placed.v2"


GROWN: dict[str, type[Contract]] = {**CONTRACTS, OrderPlacedV2.NAME: OrderPlacedV2}


def kind(name: str) -> str:
    """The name of a contract without its version."""
    return name.rpartition(".v")[0]


def missing(
    contracts: Mapping[str, type[Contract]], views: Iterable[FoldedView], groups: Mapping[str, set[str]]
) -> Iterator[str]:
    """A sentence for each place that has to say what it does with a contract and does not."""
    facts = {f"{view.table}.{column}": told for view in views for column, told in view.facts.items()}
    shown = {contract.NAME for told in facts.values() for contract in told}
    yield from (f"no column of a view is of {name}" for name in contracts if name not in {*shown, *NOT_SHOWN})
    readers = {place: {contract.NAME for contract in told} for place, told in facts.items()}
    for place, known in {**readers, **groups}.items():
        kinds = {kind(name) for name in known}
        for name in contracts:
            if kind(name) in kinds and name not in known:
                yield f"{place} knows another version of {name}, and not this one"


def test_every_contract_is_shown_and_every_version_of_it_is_heard_by_those_who_hear_one() -> None:
    assert [*missing(CONTRACTS, VIEWS.values(), HEARD)] == []


def test_a_new_version_is_missed_by_name_wherever_the_old_one_is_known() -> None:
    found = [*missing(GROWN, VIEWS.values(), HEARD)]
    assert found[0] == "no column of a view is of orders.order_placed.v2"
    places = {sentence.partition(" knows")[0] for sentence in found[1:]}
    columns = ("correlation_id", "customer", "lines", "total", "currency", "placed_at", "complete_by")
    heard = {group for group, names in HEARD.items() if OrderPlaced.NAME in names}
    assert places == {f"saga_view.{column}" for column in columns} | heard
    assert heard


def test_nothing_is_missing_once_every_column_and_every_group_knows_the_new_version() -> None:
    def both(told: Contracts) -> Contracts:
        return (*told, OrderPlacedV2) if OrderPlaced in told else told

    views = [FoldedView(v.table, v.fold, {name: both(told) for name, told in v.facts.items()}) for v in VIEWS.values()]
    grown = {
        group: names | ({OrderPlacedV2.NAME} if OrderPlaced.NAME in names else set()) for group, names in HEARD.items()
    }
    assert [*missing(GROWN, views, grown)] == []


def test_a_column_of_two_versions_is_folded_from_both() -> None:
    view = view_of_orders("saga_view", {"total": field_of("total", OrderPlaced, OrderPlacedV2)})
    condition = "contract in ('orders.order_placed.v1', 'orders.order_placed.v2')"
    assert f"max((body ->> 'total')::bigint) filter (where {condition})" in view.fold
    assert f"position between %(first)s and %(last)s and {condition}" in view.fold


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
