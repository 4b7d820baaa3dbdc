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

    def stored_answer(self, answer: Answer) -> StoredAnswer:
        return StoredAnswer(
            self.caller, self.key, self.request_hash, answer.status, answer.headers, answer.body, answer.subject
        )


def once(
    connection: Connection[Any], key: RequestKey, command: Callable[[Transaction], Answer]
) -> Callable[[Transaction], Answer]:
    """Wrap a command so that it takes effect once for a key; a repeat returns the answer stored in this database.

    Two requests at the same time may both run the command. The flush of one of them takes effect: it locks the key and
    stores the answer in the statement that writes everything else. The other flush raises KeyHeld, or KeyTaken once the
    first one has committed; then `decide` runs this again, and it finds the answer.

    Raises (when the result is called):
        Problem: 422 when the key came with another request before.
    """

    def run(transaction: Transaction) -> Answer:
        stored = find(connection, key)
        if stored is not None:
            return replay(stored, key)
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


FIND = "select request_hash, status, headers, body, subject from idempotency_keys where caller = %s and key = %s"


def find(connection: Connection[Any], key: RequestKey) -> StoredAnswer | None:
    """The answer stored under the key."""
    row = connection.execute(FIND, (key.caller, key.key), prepare=True).fetchone()
    if row is None:
        return None
    request_hash, *rest = row
    return StoredAnswer(key.caller, key.key, bytes(request_hash), *rest)
