"""The addresses of the dashboard's pages, and the ids in them."""

from urllib.parse import quote, urlencode
from uuid import UUID

from projections.queries.search import SearchHit

ROOT = "/dashboard/"


def address(path: str = "") -> str:
    """The address of a page; `path` is relative to the dashboard's root."""
    return ROOT + path


def parked_group(service: str, failure: str) -> str:
    """The page of one failure group of parked messages."""
    return address(f"parked/{service}/{failure}")


def parked_message(service: str, refused_by: str, message_id: object) -> str:
    """The page of one parked message; a reaction and the broker may refuse the same message."""
    return address(f"parked/{service}/{refused_by}/{message_id}")


def parse_id(text: str | None) -> UUID | None:
    """The id in an address or a search field; None where the text is no UUID."""
    try:
        return UUID((text or "").strip())
    except ValueError:
        return None


def order(order_id: object) -> str:
    """The page of an order."""
    return address(f"orders/{order_id}")


def message(message_id: object) -> str:
    """The message, opened on the page of live events."""
    return address(f"events/{message_id}")


def why(message_id: object) -> str:
    """The causes and effects of a message."""
    return address(f"audit/{message_id}")


def product(sku: str) -> str:
    """The page of a product."""
    return address(f"stock/{quote(sku, safe='')}")


def payment(order_id: object) -> str:
    """The page of the payment of an order."""
    return address(f"payments/{order_id}")


def webhook(subscription_id: object) -> str:
    """The page of a webhook's subscription."""
    return address(f"webhooks/{subscription_id}")


def audit(**filters: object) -> str:
    """The trail with these filters, such as `order`."""
    return address(f"audit?{urlencode(filters)}")


def orders_of(customer: str) -> str:
    """The orders of a customer."""
    return address(f"orders?{urlencode({'customer': customer})}")


def address_of_hit(hit: SearchHit) -> str:
    """The page that shows a result of a search."""
    match hit.kind:
        case "order":
            return order(hit.id)
        case "message":
            return message(hit.id)
        case "correlation":
            return audit(correlation=hit.id)
        case "customer":
            return orders_of(hit.id)
        case "product":
            return product(hit.id)
        case "charge" | "refund":
            return payment(hit.order_id)
