"""The card processor Stripe, or a server with the same HTTP interface."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import stripe

from ordersaga.runtime.logs import quieten
from payment_service.cards import decline_reason
from payment_service.gateway import (
    CardProcessorBusy,
    CardProcessorRefused,
    CardProcessorUnavailable,
    ChargeAnswer,
    ChargeRequest,
    Declined,
    NotCharged,
    RefundAnswer,
    RefundFailed,
)
from payment_service.stripe_answers import (
    best_of,
    captured,
    is_replayed,
    part_of,
    refund_answer,
    refunded_before,
    settled,
)

Answer = TypeVar("Answer")
Options = dict[str, Any]
KEYS_ARE_KEPT = timedelta(hours=12)
"""Stripe keeps an idempotency key for 24 hours, and search finds an intent after an hour at most: both hold between."""
MAX_KEYS = 50
"""More than the attempts at a parked message: each may use up one key."""


class StripeGateway:
    """Charges and refunds through Stripe's HTTP interface; threads may share one.

    `timeout` is in seconds and per attempt; a call makes up to `retries` more attempts, at least half a second
    apart. An order has one payment intent, which takes money once at most: what is repeated finds it by its idempotency
    key, and later by search, and looks at its state before it charges.
    """

    # The customer chooses these: when Stripe refuses one, the payment is declined and not parked.
    CUSTOMERS_PARAMETERS = frozenset({"payment_method", "amount", "currency"})

    def __init__(
        self, api_key: str, api_base: str = stripe.DEFAULT_API_BASE, timeout: float = 5, retries: int = 2
    ) -> None:
        quieten("stripe")
        stripe.enable_telemetry = False  # it writes an id into the user's home directory
        self._base = api_base.rstrip("/")
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": self._base},
            http_client=_http_client(self._base, timeout),
            max_network_retries=retries,
        )
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        with self._translating(f"charge order {request.order_id}"):
            return self._of_intent(request, self._confirm)

    def withdraw(self, request: ChargeRequest) -> ChargeAnswer:
        with self._translating(f"withdraw the charge of order {request.order_id}"):
            return self._of_intent(request, self._cancel)

    def _of_intent(self, request: ChargeRequest, end: Callable[[str], ChargeAnswer]) -> ChargeAnswer:
        """How the order's intent has ended, or ends now."""
        try:
            intent, is_new = self._intent(request)
        except stripe.InvalidRequestError as error:
            if error.param not in self.CUSTOMERS_PARAMETERS:
                raise
            return Declined(error.code or f"invalid_{error.param}")
        return (None if is_new else settled(self._intents.retrieve(intent.id))) or end(intent.id)

    def _intent(self, request: ChargeRequest) -> tuple[stripe.PaymentIntent, bool]:
        """The order's payment intent, and whether it was made just now."""
        if may_be_forgotten(request.since):
            query = f"metadata['order_id']:'{request.order_id}'"
            found = self._intents.search({"query": query, "limit": 100}).data
            if found:
                return best_of(found), False
        intent = self._first_free_key(f"charge:{request.order_id}", lambda options: self._create(request, options))
        return intent, not is_replayed(intent)

    def _create(self, request: ChargeRequest, options: Options) -> stripe.PaymentIntent:
        """An intent without effect: nothing is charged until it is confirmed."""
        return self._intents.create(
            {
                "amount": request.amount,
                "currency": request.currency.lower(),
                "payment_method": request.card,
                "allowed_payment_method_types": ["card"],
                "metadata": {"order_id": str(request.order_id)},
            },
            options,  # type: ignore[arg-type]
        )

    def _confirm(self, intent: str) -> ChargeAnswer:
        def confirm(options: Options) -> stripe.PaymentIntent:
            # No customer is present to answer a 3-D Secure question.
            return self._intents.confirm(intent, {"error_on_requires_action": True}, options)  # type: ignore[arg-type]

        try:
            return captured(self._first_free_key(f"confirm:{intent}", confirm))
        except stripe.CardError as error:
            return Declined(decline_reason(error.code, getattr(error.error, "decline_code", None)))
        except (stripe.APIError, stripe.InvalidRequestError):
            if answer := settled(self._intents.retrieve(intent)):
                return answer
            raise

    def _cancel(self, intent: str) -> ChargeAnswer:
        try:
            self._first_free_key(
                f"cancel:{intent}",
                lambda options: self._intents.cancel(intent, {}, options),  # type: ignore[arg-type]
            )
        except (stripe.APIError, stripe.InvalidRequestError):
            if answer := settled(self._intents.retrieve(intent)):
                return answer
            raise
        return NotCharged()

    def refund(
        self,
        order_id: UUID,
        charge_id: str,
        amount: int,
        failed_before: int = 0,
        part: int | None = None,
        since: datetime | None = None,
    ) -> RefundAnswer:
        name = {"order_id": str(order_id)} | ({"part": str(part)} if part else {})

        def create(options: Options) -> RefundAnswer:
            asked: Any = {"charge": charge_id, "amount": amount, "metadata": name}
            refund = self._refunds.create(asked, options)  # type: ignore[arg-type]
            return refund_answer(self._refunds.retrieve(refund.id) if is_replayed(refund) else refund)

        def made_before() -> RefundAnswer | None:
            return self._refunded_before(charge_id, amount, part)

        key = f"refund:{order_id}:" + (f"part:{part}:" if part else "") + str(failed_before)
        with self._translating(f"refund {f'part {part} of ' if part else ''}charge {charge_id} of order {order_id}"):
            try:
                if since and may_be_forgotten(since) and (answer := made_before()):
                    return answer
                return self._first_free_key(key, create, made_before)
            except stripe.InvalidRequestError as error:
                if error.code != "charge_already_refunded":
                    return RefundFailed("", error.code or f"invalid_{error.param}")
                if answer := made_before():
                    return answer
                if part:
                    return RefundFailed("", error.code)
                raise
            except stripe.APIError:
                if answer := made_before():
                    return answer
                raise

    def find_refund(self, refund_id: str) -> RefundAnswer:
        with self._translating(f"find refund {refund_id}"):
            return refund_answer(self._refunds.retrieve(refund_id))

    def _refunded_before(self, charge_id: str, amount: int, part: int | None) -> RefundAnswer | None:
        """What became of the refund of this part, or without one of all that are of no part, also those made by hand.

        None if they are less than `amount`.
        """
        refunds = self._refunds.list({"charge": charge_id, "limit": 100}).data
        return refunded_before([refund for refund in refunds if part_of(refund) == part], amount)

    def _first_free_key(
        self,
        name: str,
        call: Callable[[Options], Answer],
        made_before: Callable[[], Answer | None] = lambda: None,
    ) -> Answer:
        """Make a request under the first of its idempotency keys for which Stripe has not stored a 500.

        `made_before` looks, after such a 500, whether the request has taken effect all the same: a second part of the
        same amount would be accepted.

        A 500 that is stored is replayed for as long as the key is kept, so it must not be the end of the request; a
        500 that was answered just now is raised, so that the caller looks up what came of it.
        """
        for number in range(MAX_KEYS):
            try:
                return call({"idempotency_key": f"{name}:{number}"})
            except stripe.APIError as error:
                if not is_replayed(error):
                    raise
                if (answer := made_before()) is not None:
                    return answer
        raise CardProcessorUnavailable(f"{self._base} has answered {MAX_KEYS} requests {name} with a 500.")

    @contextmanager
    def _translating(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise CardProcessorUnavailable(
                f"Could not {doing}: {self._base} does not accept our key ({error}). Check STRIPE_API_KEY."
            ) from error
        except stripe.RateLimitError as error:
            raise CardProcessorBusy(
                f"Could not {doing}: {self._base} is called too often ({error}). Nothing was done; the call is made "
                "again after a pause. If it lasts, set CARD_PROCESSOR_CALLS_PER_SECOND below the limit of the account.",
                pause_named_by(error),
            ) from error
        except (stripe.APIConnectionError, stripe.APIError) as error:
            raise CardProcessorUnavailable(
                f"Could not {doing}: {self._base} gave no usable answer ({error.__cause__ or error}). "
                "Ask again later: the idempotency key makes that safe. If it lasts, check that the card "
                "processor is up and that STRIPE_API_BASE and STRIPE_TIMEOUT_SECONDS fit it."
            ) from error
        except stripe.StripeError as error:
            raise CardProcessorRefused(
                f"Could not {doing}: {self._base} refuses ({error}). Look the order up in the processor's "
                "records before doing it again by hand."
            ) from error


def may_be_forgotten(since: datetime) -> bool:
    """Whether Stripe may no longer know the idempotency keys of what was first asked for at this time."""
    return datetime.now(UTC) - since > KEYS_ARE_KEPT


def pause_named_by(error: stripe.StripeError) -> float | None:
    """Seconds of the header Retry-After, which Stripe does not always send."""
    headers: Mapping[str, str] = error.headers or {}
    named = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(named) if named.isdecimal() else None


def _http_client(base: str, timeout: float) -> stripe.HTTPClient:
    if urlsplit(base).hostname in {"localhost", "127.0.0.1", "::1"}:
        # requests sends loopback traffic to HTTP_PROXY too, unless NO_PROXY says otherwise.
        return stripe.RequestsClient(timeout=timeout, proxy={"http": "", "https": ""})
    return stripe.RequestsClient(timeout=timeout)
