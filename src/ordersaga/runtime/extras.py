"""Which extra of ordersaga brings a package that is missing."""

EXTRAS = {
    "cryptography": "audit",
    "jwt": "http",
    "flask": "http",
    "flask_openapi3": "http",
    "werkzeug": "http",
    "opentelemetry": "otel",
    "standardwebhooks": "webhooks",
}
"""Package that a command or an application may lack -> extra that brings it."""


def how_to_install(error: ImportError) -> str:
    """How to install the package that is missing; empty when no extra of ordersaga brings it."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f"pip install 'ordersaga[{EXTRAS[package]}]'" if package in EXTRAS else ""
