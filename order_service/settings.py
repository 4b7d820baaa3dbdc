"""The environment variables that only the order service reads."""

from datetime import timedelta

from pydantic import Field

from ordersaga.runtime.settings import Settings


class OrderSettings(Settings):
    order_deadline_seconds: float = Field(default=900, gt=0)

    @property
    def order_deadline(self) -> timedelta:
        return timedelta(seconds=self.order_deadline_seconds)
