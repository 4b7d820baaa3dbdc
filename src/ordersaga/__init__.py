"""Outbox, inbox, event store and sagas for services on PostgreSQL and RabbitMQ.

These names are the library; `docs/API.md` says what each is for. Each is imported at its first use, so that
`import ordersaga` loads nothing that the caller does not use.
"""

from typing import TYPE_CHECKING

from ordersaga.runtime.lazy_names import lazy_names

if TYPE_CHECKING:
    from ordersaga.envelope.contract import Contract
    from ordersaga.envelope.message import Cause, Message, UnreadableMessage
    from ordersaga.inbox.reactions import Reactions
    from ordersaga.runtime.errors import Conflict, KeyTaken, NoTransaction, Unavailable
    from ordersaga.runtime.settings import MissingSetting, Settings, database_url
    from ordersaga.service import Service
    from ordersaga.store.announce import announce, announce_async
    from ordersaga.store.announcements import Announcements
    from ordersaga.store.deadline import Deadline
    from ordersaga.store.sqlalchemy_session import sqlalchemy_session
    from ordersaga.store.transaction import AggregateNotFound, Transaction, decide

__version__ = "0.1.0"

__all__ = [
    "AggregateNotFound",
    "Announcements",
    "Cause",
    "Conflict",
    "Contract",
    "Deadline",
    "KeyTaken",
    "Message",
    "MissingSetting",
    "NoTransaction",
    "Reactions",
    "Service",
    "Settings",
    "Transaction",
    "Unavailable",
    "UnreadableMessage",
    "__version__",
    "announce",
    "announce_async",
    "database_url",
    "decide",
    "sqlalchemy_session",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AggregateNotFound": "ordersaga.store.transaction",
        "Announcements": "ordersaga.store.announcements",
        "Cause": "ordersaga.envelope.message",
        "Conflict": "ordersaga.runtime.errors",
        "Contract": "ordersaga.envelope.contract",
        "Deadline": "ordersaga.store.deadline",
        "KeyTaken": "ordersaga.runtime.errors",
        "Message": "ordersaga.envelope.message",
        "MissingSetting": "ordersaga.runtime.settings",
        "NoTransaction": "ordersaga.runtime.errors",
        "Reactions": "ordersaga.inbox.reactions",
        "Service": "ordersaga.service",
        "Settings": "ordersaga.runtime.settings",
        "Transaction": "ordersaga.store.transaction",
        "Unavailable": "ordersaga.runtime.errors",
        "UnreadableMessage": "ordersaga.envelope.message",
        "announce": "ordersaga.store.announce",
        "announce_async": "ordersaga.store.announce",
        "database_url": "ordersaga.runtime.settings",
        "decide": "ordersaga.store.transaction",
        "sqlalchemy_session": "ordersaga.store.sqlalchemy_session",
    },
)
