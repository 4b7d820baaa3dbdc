"""Idempotency keys as Stripe documents them: one request at a time, one effect, and later the same answer."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from flask import request

from payment_service.simulator.ledger import Ledger
from payment_service.simulator.shapes import Execute, RefusedRequest
from payment_service.simulator.statements import SimulatedAnswer


class IdempotencyKeys:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._in_use: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        with self._lock:
            if key in self._in_use:
                raise RefusedRequest(
                    f"Another request with the idempotency key {key} is under way: try again shortly.",
                    status=409,
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._in_use.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._in_use.remove(key)

    def once(self, key: str, execute: Execute) -> SimulatedAnswer:
        """Store effect and answer in one transaction, also when the answer is an error."""
        with self._ledger.transaction() as transaction:
            attempt = transaction.add_attempt(key, fingerprint())
            if attempt.other_request:
                raise RefusedRequest(
                    f"The idempotency key {key} was used before with another address or other parameters.",
                    kind="idempotency_error",
                )
            if attempt.answer:
                return attempt.answer
            answer = execute(transaction)
            if answer.stored:
                transaction.keep_answer(key, answer)
            return answer


def key_of_request() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= 255:
        raise RefusedRequest("The header Idempotency-Key must be there and have 255 characters at most.")
    return key


def fingerprint() -> str:
    asked = json.dumps([request.path, sorted(request.form.items(multi=True))])
    return hashlib.sha256(asked.encode()).hexdigest()
