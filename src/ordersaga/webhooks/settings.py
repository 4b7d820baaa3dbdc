"""The variables of the webhook process, and of whoever adds subscriptions."""

from pydantic import Field

from ordersaga.runtime.settings import Settings


class WebhookSettings(Settings):
    webhook_secrets_key: str = Field(default="", pattern=r"^([A-Za-z0-9+/_-]{43}=?)?$")
    """32 random bytes in base64 that seal the secrets of subscriptions in the database; without it they stand there
    in the clear. Whoever loses it rotates every secret."""
    webhook_allow: str = ""
    """Hosts and networks that are not on the internet and may be reached: `hooks.internal 10.1.0.0/16`."""
    webhook_http: bool = False
    """Whether `http://` is accepted beside `https://`."""
    webhook_dashboard_url: str = ""
    """Where people reach the dashboard, such as `https://ops.example/dashboard/`: alarms then link to their page."""
    webhook_timeout_seconds: float = Field(default=15, gt=0, le=60)
    """Longest time of one attempt, from the look-up of the name to the end of the answer."""
    webhook_retention_days: float = Field(default=30, ge=1)
    """Ended deliveries are deleted after this time; a rebuild that takes longer could send some again."""
