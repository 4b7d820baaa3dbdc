"""Failpoints: named places where a process can be made to die, fail or stall, so that its recovery can be tested."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordersaga.runtime.armed_failpoints import ArmedFailpoints

VARIABLE = "ORDERSAGA_FAILPOINTS"
"""Names the file that arms failpoints of a process; unset, as in production: none can be armed."""

POINTS: Mapping[str, str] = {
    "command.before-commit": "an API has decided a command; nothing is written",
    "command.flushed": "the rows of a command are written; the relay is not told",
    "command.after-commit": "a command is committed; its caller has no answer",
    "operator.before-commit": "an operator's action and its record are written; not committed",
    "operator.after-commit": "an operator's action is committed; the operator has no answer",
    "receive.before-look": "a worker has messages in hand; the inbox has not been read",
    "react.before-flush": "the reactions to a batch have decided; nothing is written",
    "project.logged": "messages are in the event log; the views have not changed; not committed",
    "receive.before-commit": "a batch is handled and written; the relay is not told",
    "receive.after-commit": "a batch is committed, as its transaction ends",
    "receive.before-ack": "a batch is committed; no acknowledgement is due",
    "ack.before-send": "acknowledgements are due; none is sent",
    "ack.after-send": "acknowledgements are sent; the worker still keeps them",
    "outside.before-call": "an outside step is about to call",
    "outside.after-call": "an outside step has its answer; nobody else knows it",
    "deadline.taken": "deadlines are deleted and have had no reaction; not committed",
    "deadline.before-commit": "the reactions to deadlines are written; not committed",
    "deadline.after-commit": "the reactions to deadlines are committed",
    "park.before-commit": "a message is written to the parked messages; not committed",
    "park.after-commit": "a message is parked; not acknowledged",
    "retry.claimed": "an attempt at a parked message is counted; it has not begun",
    "retry.before-commit": "a parked message took effect and its row is deleted; not committed",
    "retry.after-commit": "a parked message took effect",
    "retry.failed": "an attempt at a parked message failed; that is not recorded",
    "relay.leads": "a relay has the lead; it has read nothing",
    "relay.window-opened": "a relay knows the next rows; none is sent",
    "relay.before-publish": "a relay is about to send messages",
    "relay.published": "messages are sent; none is confirmed",
    "relay.confirmed": "the broker has confirmed messages; the relay has noted nothing",
    "relay.before-cursor": "a relay is about to move its cursor behind confirmed messages",
    "relay.cursor-moved": "the cursor has moved behind confirmed messages",
    "relay.before-record": "the broker refused a message; that is not recorded",
    "relay.recorded": "a refused message is recorded",
    "relay.retry-confirmed": "the broker took a message that it had refused; its record is still there",
    "relay.before-purge": "a relay is about to delete old rows",
    "relay.purged": "a relay has deleted old rows",
    "relay.before-detach": "a silent queue is recorded as detached; not committed",
    "relay.detached": "a silent queue is detached; the relay still works as before",
    "relay.before-attach": "a queue has caught up; it is still detached",
    "relay.attached": "a queue is attached; the relay still publishes around it",
    "catch-up.begun": "a queue that lacks messages answers again; none is sent",
    "catch-up.confirmed": "a queue has confirmed messages that it lacked; its cursor has not moved",
    "catch-up.moved": "the cursor of a detached queue has moved",
    "rebuild.frozen": "a rebuild has an end of the live log; it has derived nothing",
    "rebuild.derived": "a rebuild has derived the messages of all events",
    "rebuild.loaded": "the shadow of the read side is folded and has its indexes",
    "rebuild.compared": "the shadow is compared with the live tables",
    "rebuild.caught-up": "the shadow has caught up with the live log",
    "rebuild.locked": "a rebuild has locked the live tables; the shadow is not complete",
    "rebuild.before-commit": "the shadow is in place of the live tables; not committed",
    "rebuild.swapped": "the shadow is in place of the live tables; the rebuild is not recorded",
    "rebuild.recorded": "a rebuild is recorded; the replaced tables are still there",
    "housekeeping.before-purge": "a worker is about to delete old rows of its inbox",
    "housekeeping.purged": "a worker has deleted old rows of its inbox",
    "seal.before-append": "the sealer has read new events; its log has none of them",
    "seal.appended": "new events are in the sealed log; no checkpoint covers them",
    "seal.signed": "a checkpoint covers the new events",
    "webhook.before-commit": "deliveries are written and the position has moved; not committed",
    "webhook.collected": "deliveries are committed; none is sent",
    "webhook.before-send": "a delivery is about to be sent",
    "webhook.sent": "an endpoint has answered; the sender does not know it",
    "webhook.before-record": "the results of deliveries are written; not committed",
    "webhook.recorded": "the results of deliveries are committed",
}
"""Every failpoint: name -> the state of things when a process passes it."""

armed: "ArmedFailpoints | None" = None


class FailpointReached(Exception):
    """The failpoint in the text is armed with `exception`."""


def reach(name: str) -> None:
    """Pass a failpoint: nothing happens unless it is armed. Raises FailpointReached if it is armed so."""
    if armed is not None:
        armed.reach(name)


def begin(environment: Mapping[str, str] = os.environ) -> None:
    """Heed the file that ORDERSAGA_FAILPOINTS names, if it names one, from now on. Call it after a fork.

    Raises:
        MissingSetting: the file names no failpoint, or others may write it.
    """
    global armed
    if path := environment.get(VARIABLE):
        from ordersaga.runtime.armed_failpoints import ArmedFailpoints

        armed = ArmedFailpoints(Path(path))


def warnings() -> list[str]:
    """What /readyz says while failpoints can be armed."""
    return [armed.warning] if armed else []
