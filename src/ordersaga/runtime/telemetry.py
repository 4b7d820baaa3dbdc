"""Telemetry: the tracing of this process, or None while no standard variable of OpenTelemetry asks for one.

Nothing of OpenTelemetry is imported until then, and a step that could have a span costs one look at `tracing`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ordersaga.runtime.settings import MissingSetting, amqp_urls

if TYPE_CHECKING:
    from ordersaga.otel.tracing import Tracing

tracing: "Tracing | None" = None
"""Read it as `telemetry.tracing`: it changes."""

ASKS = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""One of these variables switches traces on."""


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    none = environment.get("OTEL_TRACES_EXPORTER") == "none"
    return not disabled and not none and any(environment.get(name) for name in ASKS)


def begin(process: str, amqp_url: str = "", group: str = "") -> None:
    """Record the spans of this process from now on, if the environment asks for them. Call it after a fork.

    Workers, relays and APIs call it; an application that announces in a process of its own calls it at its start.

    Args:
        process: its `service.name`, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES gives one.
        amqp_url: of the broker, whose host its spans name; of several nodes they name none.
        group: the consumer group of a worker.

    Raises:
        MissingSetting: a variable asks for what is not supported, or for a package that is not installed.
    """
    global tracing
    if tracing is not None or not is_wanted(os.environ):
        return
    try:
        from ordersaga.otel.setup import set_up
    except ModuleNotFoundError as error:
        raise MissingSetting(
            f"The environment asks for traces (OTEL_...), and {error.name} is not installed: pip install "
            "'ordersaga[otel]', or set OTEL_TRACES_EXPORTER=none."
        ) from None
    try:
        tracing = set_up(process, os.environ, amqp_url if len(amqp_urls(amqp_url)) == 1 else "", group)
    except ValueError as error:
        raise MissingSetting(f"{error}.") from None


def end() -> None:
    """Send the last spans, for at most two seconds."""
    global tracing
    if tracing is not None:
        from ordersaga.otel.setup import shut_down

        ended, tracing = tracing, None
        shut_down(ended)
