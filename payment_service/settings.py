"""The environment variables that only the payment service reads."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class PaymentSettings(Settings):
    payment_gateway: str = Field(default="stripe", pattern="^(stripe|in_process)$")
    stripe_api_key: str = ""
    stripe_api_base: str = "https://api.stripe.com"
    stripe_timeout_seconds: float = Field(default=5.0, gt=0)
    card_processor_calls_per_second: float = Field(default=0, ge=0)
    """Outside steps that one worker begins per second, a charge being two requests; 0: as many as come."""
    card_processor_charges_at_once: int = Field(default=16, ge=1, le=1000)
    """Charges under way at once in one worker, each with a thread and a session in Postgres."""
