"""The AsyncAPI 3.0.0 document of an application: channels, messages, and what each service sends and receives."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ordersaga.broker.topology import EVENTS
from ordersaga.envelope.message import CONTENT_TYPE, PARTITIONS, PERSISTENT
from ordersaga.schemas.described import DescribedContract, contracts_of
from ordersaga.schemas.payload import bodies_of
from ordersaga.service import Service

VERSION = "3.0.0"
BINDING = "0.3.0"
"""Version of the AMQP 0-9-1 binding."""
SCHEMAS = "#/components/schemas/"
ENVELOPE = "#/components/messageTraits/envelope"
TEXT = {"type": "string"}
UUID = {"type": "string", "format": "uuid"}
HEADERS: dict[str, dict[str, Any]] = {
    "ce-specversion": {"type": "string", "const": "1.0"},
    "ce-id": UUID | {"description": "Every receiver lets an id take effect once."},
    "ce-source": TEXT | {"description": "The service that announces it."},
    "ce-type": TEXT | {"description": "The contract."},
    "ce-subject": TEXT | {"description": "The key: messages of one key arrive in their order."},
    "ce-partitionkey": TEXT | {"description": "The key again."},
    "ce-time": {"type": "string", "format": "date-time"},
    "ce-dataschema": {"type": "string", "format": "uri"},
    "ce-sequence": {
        "type": "string",
        "pattern": "^[0-9]{1,19}$",
        "description": "The version of the aggregate that the announced event made; 0 without an event.",
    },
    "ce-eventhash": {
        "type": "string",
        "pattern": "^[0-9a-fA-F]{64}$",
        "description": "SHA-256 of the stored event, or else of the content.",
    },
    "ce-correlationid": UUID | {"description": "Shared by all messages that follow from one request."},
    "ce-causationid": UUID | {"description": "The message that caused it; absent when a request did."},
    "ce-actor": TEXT | {"description": "Who sent the request, such as the subject of the token."},
    "traceparent": TEXT | {"description": "W3C trace context."},
    "tracestate": TEXT,
}
OPTIONAL = ("ce-partitionkey", "ce-dataschema", "ce-causationid", "ce-actor", "traceparent", "tracestate")


def asyncapi(services: Sequence[Service], title: str, version: str) -> dict[str, Any]:
    """The document, as JSON. Channels and messages are named after their contracts."""
    found = contracts_of(services)
    bodies, schemas = bodies_of([each.contract for each in found.values()], SCHEMAS)
    return {
        "asyncapi": VERSION,
        "info": {"title": title, "version": version, "description": about(services)},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"broker": {"host": "{host}", "protocol": "amqp", "protocolVersion": "0.9.1", "variables": HOST}},
        "channels": {name: channel(name) for name in found},
        "operations": {
            **{key: value for service in services for key, value in sending(service).items()},
            **{key: value for name, each in found.items() for key, value in receiving(name, each).items()},
        },
        "components": {
            "messages": {name: message(each, bodies.get(name, {"type": "object"})) for name, each in found.items()},
            "messageTraits": {"envelope": ENVELOPE_TRAIT},
            "schemas": schemas,
        },
    }


HOST = {"host": {"default": "127.0.0.1:5672", "description": "Host and port of AMQP_URL."}}
ENVELOPE_TRAIT = {
    "contentType": CONTENT_TYPE,
    "headers": {
        "type": "object",
        "required": [name for name in HEADERS if name not in OPTIONAL],
        "properties": HEADERS,
    },
    "correlationId": {"location": "$message.header#/ce-correlationid"},
}


def about(services: Sequence[Service]) -> str:
    names = ", ".join(service.name for service in services)
    return f"What these services say to one another: {names}. CloudEvents 1.0 in binary mode over AMQP 0-9-1."


def channel(name: str) -> dict[str, Any]:
    exchange = {"name": EVENTS, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": f"{name}.{{partition}}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {
            "partition": {
                "description": f"CRC-32 of the key, modulo {PARTITIONS}.",
                "enum": [f"{number:02d}" for number in range(PARTITIONS)],
            }
        },
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def message(described: DescribedContract, payload: Mapping[str, Any]) -> dict[str, Any]:
    contract = described.contract
    own = {"ce-source": contract.SOURCE, "ce-type": contract.NAME, "ce-dataschema": f"urn:contract:{contract.NAME}"}
    return {
        "name": contract.NAME,
        "title": words(contract.__name__),
        **in_words(contract),
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {name: HEADERS[name] | {"const": value} for name, value in own.items()},
        },
        "payload": payload,
        "bindings": {"amqp": {"messageType": contract.NAME, "bindingVersion": BINDING}},
        "traits": [{"$ref": ENVELOPE}],
        "x-key": contract.KEY,
    }


def sending(service: Service) -> dict[str, dict[str, Any]]:
    """What a service announces."""
    return {
        f"{service.name}.send.{name}": {
            "action": "send",
            **operation(service.name, name),
            "bindings": {"amqp": {"deliveryMode": PERSISTENT, "bindingVersion": BINDING}},
        }
        for name in sorted(service.announcements.newest)
    }


def receiving(name: str, described: DescribedContract) -> dict[str, dict[str, Any]]:
    """What services react to."""
    return {
        f"{service}.receive.{name}": {
            "action": "receive",
            **operation(service, name),
            **({"title": words(function.__name__), **in_words(function)} if function else LOGGED),
        }
        for service, function in sorted(described.reactions.items())
    }


LOGGED = {"title": "Log it and fold it into the views"}


def operation(service: str, name: str) -> dict[str, Any]:
    at = f"#/channels/{name}"
    return {"channel": {"$ref": at}, "messages": [{"$ref": f"{at}/messages/{name}"}], "tags": [{"name": service}]}


def in_words(described: Any) -> dict[str, str]:
    """The docstring as summary, its first paragraph, and as description, if there is more."""
    text = inspect.cleandoc(described.__doc__ or "")
    summary = " ".join(text.partition("\n\n")[0].split())
    return {**({"summary": summary} if text else {}), **({"description": text} if "\n\n" in text else {})}


def words(name: str) -> str:
    """`when_book_returned_lend_it` and `BookReturned` as words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name).capitalize()
