"""The read side as everything that runs or operates it knows it."""

from pathlib import Path

from ordersaga.service import Service
from projections.projector import Projector
from projections.schema import metadata
from projections.settings import ProjectionsSettings

projections = Service(
    "projections",
    settings=ProjectionsSettings,
    handler=Projector,
    tables=(metadata,),
    migrations=Path(__file__).parent / "migrations",
)
