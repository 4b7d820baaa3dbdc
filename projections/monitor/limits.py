"""The limits beyond which a lag is an alarm."""

from dataclasses import dataclass

from projections.settings import ProjectionsSettings


@dataclass(frozen=True)
class AlarmLimits:
    """The settings ALARM_RELAY_LAG_SECONDS, ALARM_WAITING_MESSAGES and ALARM_WAITING_SECONDS have them."""

    relay_lag_seconds: float = 10.0
    waiting_messages: int = 1_000
    """In the queues of one group, ..."""
    waiting_seconds: float = 30.0
    """... and so long that its workers take more than this to receive them."""


def limits_of(settings: ProjectionsSettings) -> AlarmLimits:
    """As the environment sets them."""
    return AlarmLimits(
        settings.alarm_relay_lag_seconds, settings.alarm_waiting_messages, settings.alarm_waiting_seconds
    )
