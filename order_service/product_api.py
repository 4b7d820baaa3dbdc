"""The price list over HTTP: everyone reads it, operators change it."""

from operator import attrgetter

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from order_service import commands, product_list
from order_service.commands import VersionMismatch
from order_service.product import Product, product_id
from order_service.product_views import (
    ProductPage,
    ProductPath,
    ProductQuery,
    ProductTerms,
    ProductView,
    Retirement,
)
from ordersaga.http.endpoints import accept, answer, read_transaction, respond, show
from ordersaga.http.etags import etag, expected_version, precondition_failed
from ordersaga.http.idempotency import Answer
from ordersaga.http.openapi import Conditional, only, problem
from ordersaga.http.paging import page_with_link
from ordersaga.store.transaction import Transaction

routes = APIBlueprint("products", __name__, abp_responses={"default": problem()})
everyone = only("customer", "operator", "auditor")


@routes.get("/products", responses={200: ProductPage}, security=everyone)
def list_products(query: ProductQuery) -> Response:
    """List the products, a page at a time"""
    with read_transaction() as transaction:
        after = product_id(query.after) if query.after else None
        ids = product_list.page(transaction.connection, query.limit + 1, after, query.retired)
        transaction.load(ids)
        products = [ProductView.of(transaction.get(Product, id_)) for id_ in ids]
    page, following = page_with_link(products, query.limit, attrgetter("sku"))
    return show(ProductPage(products=page, next=following))


@routes.get("/products/<sku>", responses={200: ProductView}, security=everyone)
def show_product(path: ProductPath) -> Response:
    """Show one product"""
    with read_transaction() as transaction:
        product = transaction.get(Product, product_id(path.sku))
    return show(ProductView.of(product), product.version)


@routes.put(
    "/products/<sku>",
    responses={
        200: ProductView,
        201: ProductView,
        412: problem("The product is not at the version that If-Match names"),
    },
    security=only("operator"),
)
def put_product(path: ProductPath, header: Conditional, body: ProductTerms) -> Response:
    """List a product, or a retired one again, or change its name and price for later orders"""
    version = expected_version()

    def put(transaction: Transaction) -> Answer:
        terms = body.name, body.unit_price, body.currency
        product, is_new = commands.put_product(transaction, path.sku, *terms, version)
        return answer(201 if is_new else 200, ProductView.of(product), ETag=etag(product.version))

    try:
        return respond(accept(put))
    except VersionMismatch as error:
        raise precondition_failed(error.current) from None


@routes.post(
    "/products/<sku>/retirement",
    responses={
        200: ProductView,
        404: problem(),
        412: problem("The product is not at the version that If-Match names"),
    },
    security=only("operator"),
)
def retire_product(path: ProductPath, header: Conditional, body: Retirement) -> Response:
    """Retire a product: no later order can have it, placed orders keep it, and PUT lists it again"""
    version = expected_version()

    def retire(transaction: Transaction) -> Answer:
        product = commands.retire_product(transaction, path.sku, body.reason, version)
        return answer(200, ProductView.of(product), ETag=etag(product.version))

    try:
        return respond(accept(retire))
    except VersionMismatch as error:
        raise precondition_failed(error.current) from None
