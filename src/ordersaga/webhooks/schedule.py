"""When a delivery is tried again, and when it or its subscription is given up."""

import random
from datetime import timedelta

SCHEDULE = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Seconds after each failed attempt, as Standard Webhooks proposes: 10 attempts within 75 to 83 hours."""
JITTER = 0.1
"""Up to this share is added to each pause."""
LONGEST_RETRY_AFTER = 86400.0
GIVE_UP_AFTER = timedelta(days=3)
"""A subscription is disabled when every attempt of so long a time has failed."""


def pause_after(attempts: int, retry_after: str = "") -> float | None:
    """Seconds until the next attempt after so many, or None when there is none.

    An answer's `Retry-After` in seconds can make the pause longer.
    """
    if attempts > len(SCHEDULE):
        return None
    asked = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return max(SCHEDULE[attempts - 1] * (1 + JITTER * random.random()), min(asked, LONGEST_RETRY_AFTER))
