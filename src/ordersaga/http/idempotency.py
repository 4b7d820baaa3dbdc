"""Idempotency: a request with an Idempotency-Key takes effect once; a repeat gets the first answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from psycopg import Connection
from pydantic import BaseModel

from ordersaga.http.problems import Problem
from ordersaga.http.tokens import Caller
from ordersaga.store.flush import StoredAnswer
from ordersaga.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a command; `replayed` when it was the answer to an earlier request."""

    status: int
    body: str
    """JSON."""
    headers: dict[str, str] = field(default_factory=dict)
    subject: UUID | None = None
    """The id of the answer's subject, such as the aggregate that the command made; a replayed answer has it too."""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A caller's key for one request, and the hash of the request."""

    caller: str
    """The subject of the caller."""
    key: str
    """With the role of the caller before it: one subject may have two roles."""
    request_hash: bytes

    @classmethod
    def of(cls, caller: Caller, key: str, method: str, path: str, body: BaseModel) -> "RequestKey":
        """The key of a request; the order of its fields and white space do not change the hash."""
        request_hash = sha256(f"{method} {path}\n{body.model_dump_json()}".encode()).digest()
        return cls(caller.subject, f"{caller.role} {key}", request_hash)

    @property
    def lock(self) -> tuple[int, int]:
        """Two 32-bit keys: they never equal the 64-bit lock keys of aggregates."""
        digest = sha256(f"{self.caller}\0{self.key}".encode()).digest()
        return int.from_bytes(digest[:4], "big", signed=True), int.from_bytes(digest[4:8], "big", signed=True)

    def stored_answer(self, answer: Answer) -> StoredAnswer:
        return StoredAnswer(
            self.caller, self.key, self.request_hash, answer.status, answer.headers, answer.body, answer.subject
        )


def once(key: RequestKey, command: Callable[[Transaction], Answer]) -> Callable[[Transaction], Answer]:
    """Wrap a command so that it runs once for a key; a repeat returns the stored answer.

    Raises (when the result is called):
        Problem: 422 when the key came with another request before, 409 while the first request is in flight.
    """

    def run(transaction: Transaction) -> Answer:
        transaction.begin()
        stored, is_ours = find(transaction.connection, key)
        if stored is not None:
            return replay(stored, key)
        if not is_ours:
            detail = "The first request with this Idempotency-Key is still under way. Send it again in a moment."
            raise Problem(409, "request-in-flight", detail, headers={"Retry-After": "1"})
        answer = command(transaction)
        answer.headers["X-Correlation-Id"] = str(transaction.cause.correlation_id)
        transaction.store_answer(key.stored_answer(answer))
        return answer

    return run


def replay(stored: StoredAnswer, key: RequestKey) -> Answer:
    if stored.request_hash != key.request_hash:
        detail = "This Idempotency-Key came with another request before. Take a new key for a new request."
        raise Problem(422, "idempotency-key-reused", detail)
    return Answer(stored.status, stored.body, stored.headers, stored.subject, replayed=True)


FIND = """
select pg_try_advisory_xact_lock(%s::int, %s::int),
    kept.request_hash, kept.status, kept.headers, kept.body, kept.subject
from (select) as always left join idempotency_keys kept on kept.caller = %s and kept.key = %s
"""


def find(connection: Connection[Any], key: RequestKey) -> tuple[StoredAnswer | None, bool]:
    """The answer stored under the key, and whether this transaction holds the lock of the key.

    A first request that commits between this statement's snapshot and its lock is not seen here;
    the primary key of idempotency_keys sees it when the second one flushes.
    """
    row = connection.execute(FIND, (*key.lock, key.caller, key.key), prepare=True).fetchone()
    assert row is not None
    is_ours, request_hash, status, headers, body, subject = row
    if request_hash is None:
        return None, is_ours
    return StoredAnswer(key.caller, key.key, bytes(request_hash), status, headers, body, subject), is_ours
