"""The test cards: names of payment methods with a fixed outcome."""

import re
from dataclasses import dataclass

OUTCOMES = (
    "pm_card_visa, pm_card_chargeDeclined, pm_card_chargeDeclinedInsufficientFunds, "
    "pm_sim_delay_<ms>, pm_sim_timeout_after_charge, pm_sim_error_500_<n>"
)


@dataclass(frozen=True)
class TestCard:
    """The outcome of a charge; `failed_attempts` precede it, `delay_ms` and `silent` delay or drop its answer."""

    __test__ = False  # the name would make pytest collect it

    decline_code: str | None = None
    failed_attempts: int = 0
    delay_ms: int = 0
    silent: bool = False


_BY_NAME = {
    "pm_card_visa": TestCard(),
    "pm_card_chargeDeclined": TestCard(decline_code="generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": TestCard(decline_code="insufficient_funds"),
    "pm_sim_timeout_after_charge": TestCard(silent=True),
}
_DELAY = re.compile(r"pm_sim_delay_([0-9]{1,5})")
_FAILURES = re.compile(r"pm_sim_error_500(?:_([0-9]{1,3}))?")


def card_named(name: str) -> TestCard | None:
    if delay := _DELAY.fullmatch(name):
        return TestCard(delay_ms=int(delay[1]))
    if failures := _FAILURES.fullmatch(name):
        return TestCard(failed_attempts=int(failures[1] or 1))
    return _BY_NAME.get(name)


def decline_reason(code: str | None, decline_code: str | None) -> str:
    """The issuer's reason if there is one (`insufficient_funds`), else Stripe's code (`card_declined`)."""
    if decline_code and decline_code != "generic_decline":
        return decline_code
    return code or "card_declined"
