"""The check: every verdict over one run, when nothing is under way any more."""

from collections.abc import Callable, Collection, Sequence
from traceback import format_exception_only

from devstack.chaos.checker.audit import audit
from devstack.chaos.checker.commands import commands
from devstack.chaos.checker.deadlines import deadlines
from devstack.chaos.checker.drained import drained
from devstack.chaos.checker.effects import effects
from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.checker.memory import memory
from devstack.chaos.checker.money import money
from devstack.chaos.checker.operators import operators
from devstack.chaos.checker.order_per_key import order_per_key
from devstack.chaos.checker.parked import parked
from devstack.chaos.checker.read_side import read_side
from devstack.chaos.checker.recovery import recovery
from devstack.chaos.checker.stock import stock
from devstack.chaos.checker.terminal import terminal
from devstack.chaos.history import Operation
from devstack.chaos.stage import Stage
from devstack.chaos.verdict import Offence, Verdict

VERDICTS: tuple[Callable[[Evidence], Verdict], ...] = (
    money,
    stock,
    commands,
    effects,
    order_per_key,
    terminal,
    deadlines,
    read_side,
    audit,
    drained,
    parked,
    operators,
    memory,
    recovery,
)


def check(stage: Stage, operations: Sequence[Operation], expected_parked: Collection[str] = ()) -> list[Verdict]:
    """Give every verdict. Call `settle` first: what is under way is not yet there.

    Args:
        stage: a stack on which everything has healed.
        operations: the history of everything that was asked of it, with what `Load.resolve` found out.
        expected_parked: ids of the messages that faults have made somebody park or refuse, and of the orders that
            therefore wait for a person.

    Raises ServiceRefused, requests.RequestException: the card processor shows no ledger.
    """
    with Evidence.of(stage, operations, expected_parked) as evidence:
        return [given(verdict, evidence) for verdict in VERDICTS]


def given(judge: Callable[[Evidence], Verdict], evidence: Evidence) -> Verdict:
    """The verdict; one that cannot be given is bad, and the others are given all the same."""
    try:
        return judge(evidence)
    except Exception as error:  # noqa: BLE001 - rows that a broken stack has written can make any reader fail
        reason = "".join(format_exception_only(error)).strip()
        question = "Can this verdict be given at all?"
        return Verdict(judge.__name__.replace("_", " "), question, {}, [Offence("checker", reason)])
