"""Who may do what on the private broker."""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence

from devstack.processes import GROUPS, RELAY_ROLE
from devstack.state import State

VHOST = "ordersaga"
PERMISSIONS = {
    "provisioner": {"configure": ".*", "write": ".*", "read": ".*"},
    RELAY_ROLE: {"configure": "^$", "write": "^events$", "read": "^$"},
}
"""Least rights on the vhost: the relay only publishes; a group only reads its own queues."""


def password(state: State, user: str) -> str:
    """The one kept in the state directory."""
    return state.secret(f"rabbitmq {user}")


def permissions_of(group: str) -> dict[str, str]:
    return {"configure": "^$", "write": "^$", "read": rf"^{group}\."}


def definitions(state: State, more: Sequence[str] = ()) -> str:
    """JSON of users, vhost and permissions, loaded at every start in place of the default user `guest`.

    `more` names groups beside the suite's.
    """
    rights = {**PERMISSIONS, **{group: permissions_of(group) for group in (*GROUPS, *more)}}
    users = [
        {
            "name": user,
            "password_hash": hashed(password(state, user)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": [],
        }
        for user in rights
    ]
    permissions = [{"user": user, "vhost": VHOST, **may} for user, may in rights.items()]
    return json.dumps({"users": users, "vhosts": [{"name": VHOST}], "permissions": permissions})


def hashed(password: str) -> str:
    """RabbitMQ's salted SHA-256: base64(salt + sha256(salt + password))."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
