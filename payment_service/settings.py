"""The environment variables that only the payment service reads."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class PaymentSettings(Settings):
    payment_gateway: str = Field(default="stripe", pattern="^(stripe|in_process)$")
    stripe_api_key: str = ""
    stripe_api_base: str = "https://api.stripe.com"
    stripe_timeout_seconds: float = Field(default=5.0, gt=0)
