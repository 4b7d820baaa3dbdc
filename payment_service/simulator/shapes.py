"""The parameters, objects and errors of Stripe that the simulator knows."""

import json
import re
from collections.abc import Callable, Mapping

from payment_service.cards import OUTCOMES, card_named
from payment_service.simulator.statements import LedgerTransaction, Row, SimulatedAnswer

MAX_AMOUNT = 99_999_999
PAYMENT_PARAMETERS = re.compile(
    r"amount|currency|payment_method|confirm|error_on_requires_action"
    r"|allowed_payment_method_types\[[0-9]+\]|metadata\[order_id\]"
)
CONFIRM_PARAMETERS = re.compile("error_on_requires_action")
CANCEL_PARAMETERS = re.compile("cancellation_reason")
REFUND_PARAMETERS = re.compile(r"charge|amount|metadata\[(order_id|part)\]")
CURRENCIES = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp
    cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr
    isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn
    myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle
    sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
Execute = Callable[[LedgerTransaction], SimulatedAnswer]
"""What a request does, once for each idempotency key."""


class RefusedRequest(Exception):
    """An answer that is an error in Stripe's shape."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, "code": code, "param": param}


def error_body(error: Row) -> str:
    return json.dumps({"error": {name: value for name, value in error.items() if value is not None}})


def payment_asked(form: Mapping[str, str]) -> Row:
    refuse_unknown(form, PAYMENT_PARAMETERS)
    return {
        "order_id": form.get("metadata[order_id]"),
        "amount": _amount(form),
        "currency": _currency(form),
        "payment_method": _payment_method(form),
    }


def is_confirmed(form: Mapping[str, str]) -> bool:
    """Whether the payment intent is confirmed as soon as it is created."""
    if form.get("confirm", "false") not in ("true", "false"):
        raise RefusedRequest(f"Invalid boolean: {form['confirm']}", param="confirm")
    return form.get("confirm") == "true"


def refund_asked(form: Mapping[str, str]) -> Row:
    """The charge, the amount (None refunds the whole rest), and the part that the caller names."""
    refuse_unknown(form, REFUND_PARAMETERS)
    amount = _amount(form) if "amount" in form else None
    return {"charge": _required(form, "charge"), "amount": amount, "part": form.get("metadata[part]")}


def refuse_unknown(form: Mapping[str, str], known: re.Pattern[str]) -> None:
    for name in form:
        if not known.fullmatch(name):
            raise RefusedRequest(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def _required(form: Mapping[str, str], name: str) -> str:
    if not (value := form.get(name)):
        raise RefusedRequest(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def _amount(form: Mapping[str, str]) -> int:
    text = _required(form, "amount")
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise RefusedRequest(f"Invalid integer: {text}", code="parameter_invalid_integer", param="amount")
    amount = int(text)
    if amount < 1:
        raise RefusedRequest(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount > MAX_AMOUNT:
        raise RefusedRequest(f"Amount must be no more than {MAX_AMOUNT}.", code="amount_too_large", param="amount")
    return amount


def _currency(form: Mapping[str, str]) -> str:
    currency = _required(form, "currency")
    if currency not in CURRENCIES.split():
        raise RefusedRequest(
            f"Invalid currency: {currency}. Pass an ISO code in lower case, such as eur.", param="currency"
        )
    return currency


def _payment_method(form: Mapping[str, str]) -> str:
    name = _required(form, "payment_method")
    if card_named(name) is None:
        raise RefusedRequest(
            f"No such PaymentMethod: '{name}'. The simulator knows {OUTCOMES}.",
            code="resource_missing",
            param="payment_method",
        )
    return name


def payment_intent(intent: Row) -> Row:
    paid = intent["status"] == "succeeded"
    return {
        "id": intent["id"],
        "object": "payment_intent",
        "amount": intent["amount"],
        "amount_received": intent["amount"] if paid else 0,
        "created": intent["created"],
        "currency": intent["currency"],
        "last_payment_error": card_decline(intent) if intent["decline_code"] else None,
        "latest_charge": intent["latest_charge"],
        "livemode": False,
        "metadata": {"order_id": intent["order_id"]} if intent["order_id"] else {},
        "payment_method": None if intent["decline_code"] else intent["payment_method"],
        "payment_method_types": ["card"],
        "status": intent["status"],
    }


def card_decline(intent: Row) -> Row:
    return {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": intent["decline_code"],
        "message": "Your card was declined.",
        "charge": intent["latest_charge"],
    }


def card_error(intent: Row) -> Row:
    return card_decline(intent) | {"payment_intent": payment_intent(intent)}


def refund(row: Row) -> Row:
    failed = {"failure_reason": "expired_or_canceled_card"} if row["status"] == "failed" else {}
    return failed | {
        "id": row["id"],
        "object": "refund",
        "amount": row["amount"],
        "charge": row["charge"],
        "created": row["created"],
        "currency": row["currency"],
        "metadata": {name: row[name] for name in ("order_id", "part") if row[name]},
        "payment_intent": row["payment_intent"],
        "status": row["status"],
    }
