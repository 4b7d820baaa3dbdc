"""Which groups do not have the history yet that they are to be seeded with?"""

from collections.abc import Collection, Iterable, Mapping

from ordersaga.broker.group_status import GroupStatus
from ordersaga.broker.provisioning import command_to_complete
from ordersaga.database.locks import NAMES
from ordersaga.database.locks import SEEDING as LOCK
from ordersaga.diagnosis.broker.asked import PLACE
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.service import Service

BEGUN = "select from group_history where being_seeded"
KIND = "unfinished seeding"
UNTIL = "until it is complete the group may receive nothing new, and reconcile expects nothing of it"


def seeding(asked: AskedDatabase) -> Answers:
    """The seeding of the group of this database that has begun, also when only its record lacks."""
    if not asked.connection.execute(BEGUN).rowcount:
        return
    group, held = asked.service.group, [lock for lock in asked.locks if lock.name == NAMES[LOCK] and lock.is_held]
    what, remedy = f"the seeding of {group} was interrupted: {UNTIL}", command_to_complete(group, is_seeding=True)
    if held:
        what, remedy = f"{group} is being seeded: {UNTIL}", "wait until that command has ended"
    yield DiagnosisFinding("warning", KIND, asked.place, what, remedy, who=held[0].who if held else None)


def not_begun(groups: Iterable[GroupStatus], by_group: Mapping[str, Service], begun: Collection[str]) -> Answers:
    """The groups that wait to be seeded; `begun` are the databases of those whose seeding has begun."""
    for status in groups:
        if status.seeding and by_group[status.group].database not in begun:
            what = f"the group {status.group} is to be seeded: it receives nothing new"
            remedy = command_to_complete(status.group, is_seeding=True)
            yield DiagnosisFinding("warning", KIND, PLACE, what, remedy)
