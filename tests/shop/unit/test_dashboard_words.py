"""How the dashboard writes amounts, durations and reasons."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts import CONTRACTS
from order_service.currencies import CURRENCIES
from projections.dashboard.components import words
from projections.dashboard.components.kinds import KINDS, kind_of
from projections.dashboard.components.processes import rows
from projections.monitor.snapshot import ProcessStatus


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (123456, "EUR", "€1,234.56"),
        (-50, "USD", "-$0.50"),
        (500, "JPY", "¥500"),
        (500, "RWF", "RWF 500"),
        (1234, "KWD", "KWD 1.234"),
        (None, "EUR", words.NOTHING),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: int | None, currency: str, written: str) -> None:
    assert words.money(amount, currency) == written


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("5", "EUR", 500),
        (" 5.00 ", "EUR", 500),
        ("5,5", "EUR", 550),
        ("0.05", "EUR", 5),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        *((typed, "EUR", None) for typed in ("", "five", "-5", "5.", ".5", "5.001", "1,000.00", "\u0665", "9" * 20)),
        ("5.0", "JPY", None),
    ],
)
def test_an_amount_is_read_as_people_type_it_or_not_at_all(typed: str, currency: str, amount: int | None) -> None:
    assert words.minor_units(typed, currency) == amount


def test_every_currency_of_the_price_list_has_the_decimals_of_iso_4217() -> None:
    """The list of 2026-01-01, narrowed to what products may be priced in; all others have two."""
    written = {currency: words.money(1, currency) for currency in sorted(CURRENCIES)}
    decimals = {currency: len(text.partition(".")[2]) for currency, text in written.items() if text[-3:] != ".01"}
    assert " ".join(each for each, number in decimals.items() if number == 0) == (
        "BIF CLP DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF"
    )
    assert set(decimals.values()) == {0}


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-1, "0 ms"),
        (0.042, "42 ms"),
        (0.9996, "1.0 s"),
        (9.97, "10 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86400 * 40, "40 d"),
        (86400 * 3 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_durations_have_two_figures_at_most(seconds: float, written: str) -> None:
    assert words.duration(seconds) == written


def test_a_time_carries_its_exact_utc() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    shown = words.moment(at, fine=True)
    assert not isinstance(shown, str)
    told = vars(shown)
    assert (told["children"], told["title"]) == ("2 Jan 2026 03:04:05.678", "2026-01-02 03:04:05.678901 UTC")


def test_what_is_not_known_yet_is_a_dash() -> None:
    assert words.moment(None) == words.NOTHING


def test_every_contract_has_a_mark_of_its_own_words() -> None:
    assert set(KINDS) == set(CONTRACTS)
    assert len({kind.text for kind in KINDS.values()}) == len(KINDS)


def test_a_contract_to_come_is_shown_by_its_name() -> None:
    assert kind_of("parcels.parcel_lost.v1").text == "Parcel lost"


def test_a_service_to_come_is_shown_by_its_name() -> None:
    assert words.service("delivery_service") == "Delivery"


def test_the_topology_has_a_row_for_every_service_that_runs_and_the_read_side_last() -> None:
    names = ["orders-api", "delivery-worker", "orders-worker-2", "orders-relay", "simulator", "projections-api"]
    names += ["projections-worker", "delivery-relay", "audit-sealer"]
    running = [ProcessStatus(name, "worker", "", "up", (), datetime.now(UTC)) for name in names]
    assert rows(running) == ["orders", "delivery", "projections"]


def test_an_age_is_how_long_ago() -> None:
    now = datetime.now(UTC)
    assert words.age(now - timedelta(seconds=5), now) == timedelta(seconds=5)
