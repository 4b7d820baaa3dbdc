"""The events of the order service that are announced, each as its contract."""

from contracts.orders import OrderCancelled, OrderConfirmed, OrderLine, OrderPlaced, ProductPriced, ProductRetired
from order_service.order import Order
from order_service.product import Product
from ordersaga.store.announcements import Announcements

announcements = Announcements("order_service")


@announcements.of(Order.Placed)
def order_placed(event: Order.Placed) -> OrderPlaced:
    return OrderPlaced(
        order_id=event.originator_id,
        customer=event.customer,
        lines=tuple(OrderLine(**line) for line in event.lines),
        total=event.total,
        currency=event.currency,
        card=event.card,
        complete_by=event.complete_by,
        contact=event.contact,
    )


@announcements.of(Order.Confirmed)
def order_confirmed(event: Order.Confirmed) -> OrderConfirmed:
    return OrderConfirmed(order_id=event.originator_id)


@announcements.of(Order.Cancelled)
def order_cancelled(event: Order.Cancelled) -> OrderCancelled:
    return OrderCancelled(order_id=event.originator_id, reason=event.reason)


@announcements.of(Product.Listed)
def product_listed(event: Product.Listed) -> ProductPriced:
    return ProductPriced(sku=event.sku, name=event.name, unit_price=event.unit_price, currency=event.currency)


@announcements.of(Product.Changed)
def product_changed(event: Product.Changed) -> ProductPriced:
    return ProductPriced(sku=event.sku, name=event.name, unit_price=event.unit_price, currency=event.currency)


@announcements.of(Product.Retired)
def product_retired(event: Product.Retired) -> ProductRetired:
    return ProductRetired(sku=event.sku, reason=event.reason)
