"""Who may do what on the private broker."""

import base64
import hashlib
import json
import secrets

from devstack.processes import GROUPS, RELAY_ROLE
from devstack.state import State

VHOST = "ordersaga"
PERMISSIONS = {
    "provisioner": {"configure": ".*", "write": ".*", "read": ".*"},
    RELAY_ROLE: {"configure": "^$", "write": "^events$", "read": "^$"},
    **{group: {"configure": "^$", "write": "^$", "read": rf"^{group}\."} for group in GROUPS},
}
"""Least rights on the vhost: the relay only publishes, a group only reads its own queues."""


def password(state: State, user: str) -> str:
    """The one kept in the state directory."""
    return state.secret(f"rabbitmq {user}")


def definitions(state: State) -> str:
    """JSON of users, vhost and permissions, loaded at every start in place of the default user `guest`."""
    users = [
        {
            "name": user,
            "password_hash": hashed(password(state, user)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": [],
        }
        for user in PERMISSIONS
    ]
    permissions = [{"user": user, "vhost": VHOST, **rights} for user, rights in PERMISSIONS.items()]
    return json.dumps({"users": users, "vhosts": [{"name": VHOST}], "permissions": permissions})


def hashed(password: str) -> str:
    """RabbitMQ's salted SHA-256: base64(salt + sha256(salt + password))."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
