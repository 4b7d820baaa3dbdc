"""What others carry into services of their own knows nothing of a shop: no word of one stands in it."""

import re
import tokenize
from pathlib import Path

import pytest

from devstack.state import ROOT

SHOP = {
    *("card", "cards", "cart", "charge", "charged", "charges", "checkout", "currency", "customer", "customers"),
    *("goods", "inventory", "invoice", "merchant", "orders", "parcel", "payment", "payments", "price", "prices"),
    *("product", "products", "refund", "refunds", "seller", "shipment", "shop", "sku", "skus", "stock", "stripe"),
}
SEQUENCE = "order"
"""A word of a shop in a name; alone in a sentence, or in SQL, it is the sequence."""
NAME = re.compile(r"[\w.-]+")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
FILES = [path for path in sorted((ROOT / "src").rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


def words(name: str) -> list[str]:
    """`CardCharged` and `card.charged` are two each."""
    return [word.lower() for word in WORD.findall(name)]


def shop_words(text: str, identifiers: set[str]) -> set[str]:
    """Of names, strings, comments and documentation alike."""
    names = identifiers | {name for name in NAME.findall(text) if len(words(name)) > 1}
    return SHOP & {*words(text)} | {SEQUENCE} & {word for name in names for word in words(name)}


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_word_of_a_shop_stands_in_what_others_carry(file: Path) -> None:
    identifiers: set[str] = set()
    if file.suffix == ".py":
        with tokenize.open(file) as lines:
            tokens = tokenize.generate_tokens(lines.readline)
            identifiers = {token.string for token in tokens if token.type == tokenize.NAME}
    assert not shop_words(file.read_text(), identifiers)


@pytest.mark.parametrize("text", ["order.placed", "OrderPlaced", "# the customer's", "ORDER_ID", "stock-item"])
def test_a_word_of_a_shop_is_seen_in_any_spelling(text: str) -> None:
    assert shop_words(text, set())


@pytest.mark.parametrize("text", ["select a from b order by c", "kept in order. Nothing", "ordersaga", "discard"])
def test_a_sequence_is_no_word_of_a_shop(text: str) -> None:
    assert not shop_words(text, set())
