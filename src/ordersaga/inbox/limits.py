"""Limits of the calls that outside steps make, as the settings of a worker say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Limits of one resource in one worker process."""

    calls_per_second: float = 0.0
    """The most outside steps that begin per second, all operations together; 0: no limit."""
    at_once: Mapping[str, int] = field(default_factory=dict)
    """Operation -> the most calls of it at once, in place of what its reaction says."""


Limits = Mapping[str, ResourceLimits]
"""By the name of the resource."""


def no_limits(_: Any) -> Limits:
    """What the reactions say, and no rate limit."""
    return {}
