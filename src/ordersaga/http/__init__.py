"""The parts of a service's HTTP API (`api.py`). Needs the extra: `pip install 'ordersaga[http]'`."""

from typing import TYPE_CHECKING

from ordersaga.runtime.lazy_names import lazy_names

if TYPE_CHECKING:
    from ordersaga.http.admission import Admission, Saga
    from ordersaga.http.app import Api, api, caller, create_app
    from ordersaga.http.endpoints import (
        accept,
        answer,
        read_transaction,
        request_key,
        require_room,
        respond,
        respond_when_ended,
        show,
    )
    from ordersaga.http.etags import etag, expected_version
    from ordersaga.http.idempotency import Answer
    from ordersaga.http.openapi import Body, Keyed, Query, View, only, problem
    from ordersaga.http.parked import mount_parked
    from ordersaga.http.problems import Problem
    from ordersaga.http.tokens import Caller

__all__ = [
    "Admission",
    "Answer",
    "Api",
    "Body",
    "Caller",
    "Keyed",
    "Problem",
    "Query",
    "Saga",
    "View",
    "accept",
    "answer",
    "api",
    "caller",
    "create_app",
    "etag",
    "expected_version",
    "mount_parked",
    "only",
    "problem",
    "read_transaction",
    "request_key",
    "require_room",
    "respond",
    "respond_when_ended",
    "show",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Admission": "ordersaga.http.admission",
        "Answer": "ordersaga.http.idempotency",
        "Api": "ordersaga.http.app",
        "Body": "ordersaga.http.openapi",
        "Caller": "ordersaga.http.tokens",
        "Keyed": "ordersaga.http.openapi",
        "Problem": "ordersaga.http.problems",
        "Query": "ordersaga.http.openapi",
        "Saga": "ordersaga.http.admission",
        "View": "ordersaga.http.openapi",
        "accept": "ordersaga.http.endpoints",
        "answer": "ordersaga.http.endpoints",
        "api": "ordersaga.http.app",
        "caller": "ordersaga.http.app",
        "create_app": "ordersaga.http.app",
        "etag": "ordersaga.http.etags",
        "expected_version": "ordersaga.http.etags",
        "mount_parked": "ordersaga.http.parked",
        "only": "ordersaga.http.openapi",
        "problem": "ordersaga.http.openapi",
        "read_transaction": "ordersaga.http.endpoints",
        "request_key": "ordersaga.http.endpoints",
        "require_room": "ordersaga.http.endpoints",
        "respond": "ordersaga.http.endpoints",
        "respond_when_ended": "ordersaga.http.endpoints",
        "show": "ordersaga.http.endpoints",
    },
)
