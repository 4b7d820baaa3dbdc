"""The shop's tests name databases of the shop."""

from tests.shop.support import schemas

__all__ = ["schemas"]
