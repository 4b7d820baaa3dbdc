"""Long runs use the shop's databases too."""

from tests.shop.support import schemas

__all__ = ["schemas"]
