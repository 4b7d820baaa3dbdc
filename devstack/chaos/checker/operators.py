"""Operators: every action of a person is recorded with actor and reason, as often as the history has it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.history import Operation
from devstack.chaos.operators import ACTIONS
from devstack.chaos.verdict import DUPLICATED, LOST, OK, UNEXPECTED, Offence, Verdict

QUESTION = "Is every action of an operator recorded with its actor and reason, once, and no other of theirs?"

PARKED_ACTIONS = "select action, message_id::text as subject, actor, reason from parked_actions"
GROUP_ACTIONS = "select action, coalesce(failure, run::text, '') as subject, actor, reason from operator_actions"


class Action(NamedTuple):
    """One recorded action; `subject` is the message, failure group or run, empty for the group itself."""

    database: str
    action: str
    subject: str
    actor: str
    reason: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.action, self.subject, "by", self.actor, "in", self.database) if part)


def operators(evidence: Evidence) -> Verdict:
    recorded = [
        Action(name, *row)
        for name in evidence.urls
        for query in (PARKED_ACTIONS, GROUP_ACTIONS)
        for row in evidence.rows(name, query)
    ]
    return judge(evidence.operations, recorded)


def judge(operations: Sequence[Operation], recorded: Iterable[Action]) -> Verdict:
    """Actions of actors that the history does not have are judged by their actor and reason alone."""
    recorded = list(recorded)
    done = [operation for operation in operations if operation.kind in ACTIONS]
    actors = {operation.request["caller"] for operation in done}
    may_be = Counter(map(asked, (operation for operation in done if operation.outcome != "fail")))
    must_be = Counter(map(asked, (operation for operation in done if operation.outcome == "ok")))
    found = Counter(action for action in recorded if action.actor in actors)
    counts = {OK: (found & may_be).total(), LOST: 0, UNEXPECTED: 0, DUPLICATED: 0}
    offences = [Offence(str(action), "has no reason") for action in recorded if not action.reason or not action.actor]
    for action, number in (must_be - found).items():
        counts[LOST] += number
        offences.append(Offence(str(action), f"done {must_be[action]} times, recorded {found[action]} times"))
    for action, number in (found - may_be).items():
        counts[DUPLICATED if action in may_be else UNEXPECTED] += number
        offences.append(Offence(str(action), f"recorded {found[action]} times, done {may_be[action]} times"))
    return Verdict("operators", QUESTION, counts, offences)


def asked(operation: Operation) -> Action:
    request = operation.request
    return Action(request["database"], operation.kind, request["about"], request["caller"], request["reason"])
