"""Which commands keep relays or workers from working, with a lock of theirs?"""

from collections.abc import Iterator

from ordersaga.database.locks import GROUP_GATE, NAMES, RELAY_LEAD
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.named_lock import MIGRATION_NAME, NamedLock
from ordersaga.diagnosis.party import terminate
from ordersaga.diagnosis.questions import Answers, AskedDatabase

KIND = "held lock"
STANDS_STILL = {
    NAMES[RELAY_LEAD]: "no relay publishes this database",
    NAMES[GROUP_GATE]: "the workers of the group receive nothing",
    MIGRATION_NAME: "the schema is being migrated, and tables may be locked",
}


def held_locks(asked: AskedDatabase) -> Answers:
    """Locks that a command has, which relays and workers need."""
    for lock in in_the_way(asked):
        verb = "has" if lock.is_held else "waits for"
        yield DiagnosisFinding(
            "warning",
            KIND,
            asked.place,
            f"{lock.who.application_name or 'a session without a name'} {verb} the {lock.name}: "
            f"{STANDS_STILL[lock.name]} until it ends",
            f"wait until that command has ended; if it hangs, {terminate(lock.who.pid)}",
            lock.who.transaction_since,
            lock.who,
        )


def in_the_way(asked: AskedDatabase) -> Iterator[NamedLock]:
    for lock in asked.locks:
        is_of_relay = lock.name == NAMES[RELAY_LEAD] and lock.who.application_name.startswith("relay ")
        is_of_standby = lock.name == NAMES[RELAY_LEAD] and not lock.is_held
        if lock.name in STANDS_STILL and not (lock.is_shared or is_of_relay or is_of_standby):
            yield lock


def is_paused_by_command(asked: AskedDatabase) -> bool:
    """Whether a command has the lead of the relays, which is a finding of its own."""
    return any(lock.name == NAMES[RELAY_LEAD] for lock in in_the_way(asked))
