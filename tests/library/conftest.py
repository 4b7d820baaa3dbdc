"""Until all tests of the library have a service of their own."""

from tests.shop.support import schemas

__all__ = ["schemas"]
