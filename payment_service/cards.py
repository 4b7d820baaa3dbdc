"""The test cards: names of payment methods with a fixed outcome."""

import re
from collections.abc import Callable
from dataclasses import dataclass

SUCCEEDED = ("succeeded",)
REFUNDS = {
    "pm_sim_disputed": ("disputed",),
    "pm_sim_refund_pending": ("pending", "succeeded"),
    "pm_sim_refund_failed": ("failed",),
    "pm_sim_refund_pending_failed": ("pending", "failed"),
    "pm_sim_refund_failed_late": ("succeeded", "failed"),
    "pm_sim_refund_500": ("error",),
}
"""The card's first refund, status after status; later refunds of the charge succeed."""


@dataclass(frozen=True)
class TestCard:
    """The outcome of a charge, and what precedes it; numbers count requests, or idempotency keys for `stored_`."""

    __test__ = False  # the name would make pytest collect it

    decline_code: str | None = None
    failed_attempts: int = 0
    """Requests that get a 500 which is not stored."""
    delay_ms: int = 0
    silent: bool = False
    """The first request charges and is never answered."""
    mute: bool = False
    """No request charges, and none is answered."""
    rate_limited: int = 0
    """Requests that get a 429."""
    stored_failures: int = 0
    """Keys whose first request gets a 500 that is stored: every later request with the key gets it too."""
    charged_before_failure: bool = False
    """The charge is made before the first of these 500s."""
    stored_intent_failures: int = 0
    """The same for the keys of the request that creates the payment intent."""
    refund: tuple[str, ...] = SUCCEEDED


_BY_NAME = {
    "pm_card_visa": TestCard(),
    "pm_card_chargeDeclined": TestCard(decline_code="generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": TestCard(decline_code="insufficient_funds"),
    "pm_sim_timeout_after_charge": TestCard(silent=True),
    "pm_sim_silent": TestCard(mute=True),
    "pm_sim_charged_500": TestCard(stored_failures=1, charged_before_failure=True),
    **{name: TestCard(refund=statuses) for name, statuses in REFUNDS.items()},
}
_NUMBERED: dict[str, Callable[[int], TestCard]] = {
    "pm_sim_delay": lambda number: TestCard(delay_ms=number),
    "pm_sim_error_500": lambda number: TestCard(failed_attempts=number),
    "pm_sim_stored_500": lambda number: TestCard(stored_failures=number),
    "pm_sim_intent_500": lambda number: TestCard(stored_intent_failures=number),
    "pm_sim_rate_limited": lambda number: TestCard(rate_limited=number),
}
"""The number is 1 where the name has none, but a delay needs one."""
OUTCOMES = ", ".join([*_BY_NAME, *(f"{name}_<n>" for name in _NUMBERED)])


def card_named(name: str) -> TestCard | None:
    if name in _BY_NAME:
        return _BY_NAME[name]
    for prefix, make in _NUMBERED.items():
        match = re.fullmatch(rf"{prefix}(?:_([0-9]{{1,5}}))?", name)
        if match and (match[1] or prefix != "pm_sim_delay"):
            return make(int(match[1] or 1))
    return None


def decline_reason(code: str | None, decline_code: str | None) -> str:
    """The issuer's reason if there is one (`insufficient_funds`), else Stripe's code (`card_declined`)."""
    if decline_code and decline_code != "generic_decline":
        return decline_code
    return code or "card_declined"
