"""The persistence module: PERSISTENCE_MODULE=ordersaga.eventsourcing_adapter.factory."""

from typing import Any

from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    Mapper,
    ProcessRecorder,
    Transcoder,
)
from eventsourcing.utils import resolve_topic

from ordersaga.eventsourcing_adapter.recorder import OutboxRecorder, StreamRecorder
from ordersaga.eventsourcing_adapter.snapshots import SnapshotRecorder
from ordersaga.runtime.sessions import WORKER, open_pool
from ordersaga.runtime.settings import MissingSetting
from ordersaga.store.announcements import Announcements
from ordersaga.store.topics import mapper as default_mapper

POOL_SIZE = 10


class OutboxFactory(InfrastructureFactory[Any]):
    """Connects to `<APPLICATION NAME>_DATABASE_URL`: an application with the name of its service needs no other."""

    ANNOUNCEMENTS = "ANNOUNCEMENTS"
    """Variable with the topic of the `Announcements`, such as `bank.announcements:announcements`."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        url = self.env.get("DATABASE_URL")
        if not url:
            raise MissingSetting(f"{self.env.name.upper()}_DATABASE_URL is not set, so there is no event store.")
        topic = self.env.get(self.ANNOUNCEMENTS)
        self.announcements: Announcements | None = resolve_topic(topic) if topic else None
        self.application_mapper: Mapper[Any] = default_mapper
        self.pool = open_pool(url, self.env.name, WORKER, POOL_SIZE, min_size=1, open=True)

    def mapper(self, transcoder: Transcoder | None = None, mapper_class: Any = None) -> Mapper[Any]:
        """The application's mapper, which reads events for their announcements too."""
        self.application_mapper = super().mapper(transcoder, mapper_class)
        return self.application_mapper

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose == "snapshots":
            return SnapshotRecorder(self.pool, mapper=self.application_mapper)
        return StreamRecorder(self.pool)

    def application_recorder(self) -> OutboxRecorder:
        return OutboxRecorder(self.pool, self.announcements, self.application_mapper)

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> Any:
        raise NotImplementedError("The inbox keeps what was received: write a reaction instead of tracking.")

    def process_recorder(self) -> ProcessRecorder:
        raise NotImplementedError("The inbox keeps what was received: write a reaction instead of a policy.")

    def close(self) -> None:
        self.pool.close()
