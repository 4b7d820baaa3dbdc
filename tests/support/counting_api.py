"""The counting service over HTTP: open a counter, show it, let it count on, set what it counts at last."""

from datetime import timedelta
from uuid import UUID

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field
from uuid_utils.compat import uuid7

from ordersaga.http import app as web
from ordersaga.http.endpoints import accept, answer, read_transaction, request_key, respond, respond_when_ended, show
from ordersaga.http.etags import etag, expected_version, precondition_failed
from ordersaga.http.idempotency import Answer
from ordersaga.http.openapi import KEY_PATTERN, Body, Conditional, Keyed, View, only, problem
from ordersaga.http.problems import FieldError, invalid
from ordersaga.store.transaction import Transaction
from tests.support.counting import Counter, closing, service

routes = APIBlueprint("counters", __name__, abp_responses={"default": problem()})
LIFE = timedelta(minutes=1)
UNLUCKY = 13


class CounterPath(BaseModel):
    counter_id: UUID


class OpenHeaders(Keyed):
    """Headers of the request that opens a counter."""

    prefer: str | None = Field(default=None, alias="Prefer")


class CountHeaders(Conditional):
    """Headers of the request that counts."""

    idempotency_key: str | None = Field(default=None, alias="Idempotency-Key", pattern=KEY_PATTERN)


class Opening(Body):
    """A first number, and what it is for."""

    number: int = Field(ge=1, le=100)
    note: str = Field(default="", max_length=100)


class Number(Body):
    """What is counted."""

    number: int = Field(ge=1, le=100)


class CounterView(View):
    """A counter as it is."""

    counter_id: UUID
    numbers: list[int]
    version: int
    caller: str

    @classmethod
    def of(cls, counter: Counter) -> "CounterView":
        return cls(counter_id=counter.id, numbers=counter.numbers, version=counter.version, caller=web.caller().subject)


def create_app() -> web.Api:
    """Raises MissingSetting when the environment lacks something."""
    return web.create_app(service, routes, "Counters", roles=("customer",))


def answered(status: int, counter: Counter) -> Answer:
    location = f"/counters/{counter.id}"
    return answer(status, CounterView.of(counter), counter.id, ETag=etag(counter.version), Location=location)


@routes.post("/counters", responses={200: CounterView, 202: CounterView}, security=only("customer"))
def open_counter(header: OpenHeaders, body: Opening) -> Response:
    """Open a counter at a number"""
    if body.number == UNLUCKY:
        raise invalid("Not this one.", FieldError(field="number", message="is unlucky"))

    def open_it(transaction: Transaction) -> Answer:
        counter = Counter(id=uuid7())
        counter.keep(body.number)
        transaction.save(counter)
        transaction.set_deadline(closing(counter.id, LIFE))
        return answered(202, counter)

    accepted = accept(open_it, request_key(header.idempotency_key, body))
    opened = accepted.subject
    assert opened is not None
    return respond_when_ended(accepted, lambda: counted_on(opened))


def counted_on(counter_id: UUID) -> Answer | None:
    """The counter once it has a second number."""
    with read_transaction() as transaction:
        counter = transaction.get(Counter, counter_id)
    return answered(200, counter) if len(counter.numbers) > 1 else None


@routes.get("/counters/<counter_id>", responses={200: CounterView}, security=only("customer", "operator"))
def show_counter(path: CounterPath) -> Response:
    """Show a counter"""
    with read_transaction() as transaction:
        counter = transaction.get(Counter, path.counter_id)
    return show(CounterView.of(counter), counter.version)


@routes.post("/counters/<counter_id>/numbers", responses={200: CounterView}, security=only("customer", "operator"))
def count(path: CounterPath, header: CountHeaders, body: Number) -> Response:
    """Count on"""
    version = expected_version()

    def count_on(transaction: Transaction) -> Answer:
        counter = transaction.get(Counter, path.counter_id)
        if version is not None and counter.version != version:
            raise precondition_failed(counter.version)
        counter.keep(body.number)
        transaction.save(counter)
        return answered(200, counter)

    return respond(accept(count_on, request_key(header.idempotency_key, body)))
