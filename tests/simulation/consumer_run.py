"""A schedule of consumers: messages that come in order, with copies, to workers that fail, die and share queues."""

import random
from collections.abc import Sequence
from uuid import UUID

from ordersaga.consumer.sharing import CHECK_SECONDS
from ordersaga.envelope.message import Message
from tests.simulation import installed
from tests.simulation.deliveries import Copy, WorkBroker
from tests.simulation.postgres import Postgres
from tests.simulation.rows import CAUSE, HASH, NOON
from tests.simulation.schedule_run import ScheduleRun, Violated, play
from tests.simulation.steps import KEYS, Step
from tests.simulation.worker import ASKED, GROUP, HAPPENED, SimulatedWorker, bodies
from tests.simulation.world import World

HOSTS = ("worker 0", "worker 1")
QUEUES = (f"{GROUP}.0", f"{GROUP}.1", f"{GROUP}.dead_letters")


class ConsumerRun(ScheduleRun):
    """The servers, two workers, and the steps that a schedule takes with them."""

    must_end = "not everything takes effect"

    def __init__(self, world: World) -> None:
        super().__init__(world, Postgres())
        self.broker = WorkBroker(list(QUEUES))
        installed.use(self.postgres)
        installed.use_work(self.broker)
        self.workers: dict[str, SimulatedWorker] = {}
        self.failures: dict[UUID, int] = {}
        self.published: dict[str, list[Message]] = {key: [] for key in KEYS}
        self._done: list[UUID] = []
        """Effects, in the order of their commits."""

    # What comes in.

    def publish(self, key: str, asks: bool, failures: int) -> None:
        """The next message of a key; its reaction fails so often."""
        number = sum(map(len, self.published.values())) + 1
        sequence, contract = len(self.published[key]), ASKED if asks else HAPPENED
        message = Message(UUID(int=number), contract, "counting", key, sequence, NOON, HASH, CAUSE, bodies(key))
        self.failures[message.id] = failures
        self.published[key].append(message)
        self._append(message)

    def again(self, key: str, count: int) -> None:
        """The last messages of a key once more, as from a relay that restarts."""
        for message in self.published[key][-count:]:
            self._append(message)

    def _append(self, message: Message) -> None:
        self.broker.queues[QUEUES[message.partition % 2]].ready.append(Copy(message))

    # The broker.

    def deliver(self, queue: str, count: int) -> None:
        self.broker.queues[queue].deliver(count)

    def hear(self, host: str) -> None:
        for connection in self._connections(host):
            connection.hear()

    def cut_channel(self, host: str) -> None:
        for connection in self._connections(host):
            connection.lose()

    def _connections(self, host: str) -> list:  # type: ignore[type-arg]
        return [connection for connection in self.broker.connections if connection.owner == host]

    # Workers.

    def start(self, host: str) -> None:
        if not self.world.of_host(host):
            self.workers[host] = SimulatedWorker(host, self.failures)
            self.workers[host].start()

    def answer(self, host: str, which: int) -> None:
        if self.world.of_host(host):
            self.workers[host].outside.answer(which)

    def stop(self, host: str) -> None:
        """SIGTERM."""
        if host in self.workers:
            self.workers[host].stopping.set()

    def crash(self) -> None:
        self.postgres.crash(0)

    # The end.

    def heal(self) -> None:
        for host in HOSTS:
            if host not in self.workers or self.workers[host].stopping.is_set():
                self.kill(host)
        self.start(HOSTS[0])

    def serve(self) -> bool:
        has_moved = False
        for queue in self.broker.queues.values():
            has_moved |= queue.deliver(100)
        for connection in list(self.broker.connections):
            connection.hear()
        for host, worker in self.workers.items():
            has_moved |= bool(self.world.of_host(host)) and worker.outside.answer(0)
        return has_moved

    @property
    def is_drained(self) -> bool:
        if any(self.postgres.committed("parked")) or any(queue.ready for queue in self.broker.queues.values()):
            return False
        channels = [channel for connection in self.broker.connections for channel in connection.channels]
        return not any(channel.unacknowledged for channel in channels)

    def rest(self) -> str:
        parked = [(row.id.int, row.key, row.state, row.error) for row in self.postgres.committed("parked")]
        ready = {queue.name: [copy.message.id.int for copy in queue.ready] for queue in self.broker.queues.values()}
        return f"parked {parked}, ready {ready}"

    # What must hold.

    def check(self) -> None:
        """Each message has one effect, and those of a key come in their order without a gap."""
        effects = self.postgres.tables.get("effects", ())
        if len(effects) == len(self._done):
            return
        for version in effects:
            id_, key = version.row
            if id_ in self._done[-50:] or not self.postgres.is_committed(version.xmin):
                continue
            done = sum(1 for each in self.published[key] if each.id in self._done)
            if self.published[key][done].id != id_:
                raise Violated(f"message {id_.int} of {key} takes effect before {self.published[key][done].id.int}")
            self._done.append(id_)

    def check_end(self) -> None:
        effects = [id_ for id_, _ in self.postgres.committed("effects")]
        if twice := {id_.int for id_ in effects if effects.count(id_) > 1}:
            raise Violated(f"messages {sorted(twice)} took effect twice")
        wanted = {message.id for messages in self.published.values() for message in messages}
        if lost := wanted.difference(effects):
            raise Violated(f"messages {sorted(id_.int for id_ in lost)} took no effect")


def run(steps: Sequence[Step], seed: int) -> ConsumerRun:
    """Run a schedule. Raises Violated."""
    return play(ConsumerRun, steps, seed)


WEIGHTS = {
    "publish": 18,
    "again": 3,
    "deliver": 12,
    "hear": 5,
    "run": 45,
    "answer": 5,
    "start": 2,
    "stop": 1,
    "kill": 1,
    "cut_session": 1,
    "cut_channel": 1,
    "crash": 1,
    "sleep": 3,
}
FAULTS = ("stop", "kill", "cut_session", "cut_channel", "crash", "again", "sleep", "start")
THEMES = (("start", "sleep"), ("kill",), ("cut_session", "crash"), ("cut_channel",), ("stop",), ("again", "sleep"))


def made(seed: int, count: int) -> list[Step]:
    """So many steps."""
    choice = random.Random(seed)
    theme = choice.choice(THEMES)
    factors = {name: 4 if name in theme else choice.choice((0, 0, 1)) for name in FAULTS}
    failing = choice.choice((0.0, 0.1, 0.3))
    asking = choice.choice((0.0, 0.3))
    names = choice.choices(list(WEIGHTS), [weight * factors.get(name, 1) for name, weight in WEIGHTS.items()], k=count)
    return [Step("start", (HOSTS[0],))] + [step(choice, name, failing, asking) for name in names]


def step(choice: random.Random, name: str, failing: float, asking: float) -> Step:
    match name:
        case "publish":
            failures = choice.choice((1, 2)) if choice.random() < failing else 0
            return Step(name, (choice.choice(KEYS), choice.random() < asking, failures))
        case "again":
            return Step(name, (choice.choice(KEYS), choice.choice((1, 2, 4))))
        case "deliver":
            return Step(name, (choice.choice(QUEUES[:2]), choice.choice((1, 2, 9))))
        case "run":
            return Step(name, (choice.choice(HOSTS), choice.randrange(2), choice.choice((1, 1, 2, 3, 5, 10))))
        case "answer":
            return Step(name, (choice.choice(HOSTS), choice.randrange(3)))
        case "sleep":
            return Step(name, (choice.choice((0.1, CHECK_SECONDS, 2.5)),))
        case "crash":
            return Step(name)
        case _:
            return Step(name, (choice.choice(HOSTS),))
