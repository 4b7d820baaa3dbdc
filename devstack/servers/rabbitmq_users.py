"""The users of the private broker and their permissions."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

from devstack.processes import CONTEXTS, GROUPS, RELAY_ROLE, relay_user
from devstack.state import State
from ordersaga.broker.topology import EVENTS, side_exchange_of

VHOST = "ordersaga"
NOTHING = "^$"
PUBLISH = {"configure": NOTHING, "write": r"^events($|\.)", "read": NOTHING}
PERMISSIONS = {
    "provisioner": {"configure": ".*", "write": ".*", "read": ".*"},
    RELAY_ROLE: PUBLISH,
    **{relay_user(service): PUBLISH for service in CONTEXTS},
}
"""Least rights on the vhost: a relay only publishes, to `events` and to `events.<group>`; a group only reads its own
queues."""
LIMITS = {"max-connections": 64, "max-channels": 1024}
"""Of a user. A worker has 2 connections, one with a channel for each of at most 16 queues and the dead letters, a relay
has 1 of each, and two connections more while a queue is detached; 16 workers and those that the broker has not missed
yet fit in."""


def password(state: State, user: str) -> str:
    """The one kept in the state directory."""
    return state.secret(f"rabbitmq {user}")


def permissions_of(group: str) -> dict[str, str]:
    return {"configure": "^$", "write": "^$", "read": rf"^{group}\."}


def topic_permissions() -> list[dict[str, str]]:
    """What the relay of a service may publish: routing keys begin with the name of a contract.

    RabbitMQ has no patterns for exchanges here: one that is missing takes every routing key.

    The user `relay`, for all outboxes in one process, is in no entry, so it may publish every contract.
    """
    return [
        {
            "user": relay_user(service),
            "vhost": VHOST,
            "exchange": exchange,
            "write": rf"^{re.escape(context)}\.",
            "read": NOTHING,
        }
        for service, context in CONTEXTS.items()
        for exchange in (EVENTS, *map(side_exchange_of, GROUPS))
    ]


def definitions(state: State, more: Sequence[str] = ()) -> str:
    """JSON of users, vhost, permissions and limits, loaded at every start in place of the default user `guest`.

    `more` names groups beside the shop's.
    """
    rights = {**PERMISSIONS, **{group: permissions_of(group) for group in (*GROUPS, *more)}}
    content: dict[str, Any] = {
        "users": [user(name, password(state, name)) for name in rights],
        "vhosts": [{"name": VHOST}],
        "permissions": [{"user": name, "vhost": VHOST, **may} for name, may in rights.items()],
        "topic_permissions": topic_permissions(),
    }
    return json.dumps(content)


def user(name: str, password: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": hashed(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
        "limits": LIMITS,
    }


def hashed(password: str) -> str:
    """RabbitMQ's salted SHA-256: base64(salt + sha256(salt + password))."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
