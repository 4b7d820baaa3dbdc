"""The Service of the order service: its announcements, reactions, settings and tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from order_service.announcements import announcements
from order_service.reactions import reactions
from order_service.settings import OrderSettings
from ordersaga.service import Service

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def tables() -> "tuple[MetaData, ...]":
    from order_service.schema import metadata  # loads SQLAlchemy, which the worker does not need

    return (metadata,)


order_service = Service(
    "order_service",
    announcements,
    reactions,
    settings=OrderSettings,
    tables=tables,
    migrations=Path(__file__).parent / "migrations",
)
