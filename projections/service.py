"""The ReadSide of the shop: its sources, contracts, views and settings."""

from pathlib import Path

from contracts import CONTRACTS
from inventory_service.service import inventory_service
from order_service.service import order_service
from ordersaga.readside.read_side import ReadSide
from payment_service.service import payment_service
from projections.monitor import tables
from projections.queries.alarms import ALARM_CHANGES
from projections.schema import metadata
from projections.settings import ProjectionsSettings
from projections.views import VIEWS

projections = ReadSide(
    "projections",
    (order_service, payment_service, inventory_service),
    CONTRACTS,
    {view.table: view.fold for view in VIEWS.values()},
    alarm_changes=ALARM_CHANGES,
    settings=ProjectionsSettings,
    tables=(metadata, tables.metadata),
    migrations=Path(__file__).parent / "migrations",
)
