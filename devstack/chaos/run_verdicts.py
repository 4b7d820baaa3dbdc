"""The verdicts of the run itself: faults injected and healed, how soon all was ready again, processes that gave up."""

import signal
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from devstack.chaos.faults.target import POSTGRES, RABBITMQ
from devstack.chaos.killed_children import KilledChild
from devstack.chaos.schedule import Scheduled
from devstack.chaos.sent_signals import SentSignals
from devstack.chaos.timeline import Moment, seconds_to_ready
from devstack.chaos.verdict import Offence, Verdict
from devstack.death import Death

TOLD_TO_STOP = {signal.SIGTERM, signal.SIGINT}
"""Signals after which a process or server ends with exit code 0."""
SERVERS = (POSTGRES, RABBITMQ)
KERNEL = "`dmesg` says whether the kernel did, because memory was short"
QUESTION = "Was every fault of the schedule injected and healed, and has what it did come out?"
RECOVERY_SECONDS = 60.0
"""A stack that needs longer, with nothing harmed, does not recover by itself."""


def injected(
    scheduled: Sequence[Scheduled], moments: Sequence[Moment], lacking: Mapping[int, str], interrupted: bool = False
) -> Verdict:
    """`lacking` has by number what should have come of a fault. Interrupted, faults still to come are not missed."""
    by_number = {(moment.number, moment.event): moment for moment in moments if moment.number}
    offences, counts = [], {"injected": 0, "healed": 0, "skipped": 0}
    for each in scheduled:
        subject = f"{each.name} (number {each.number})"
        begun = by_number.get((each.number, "inject"))
        counts["injected"] += begun is not None
        counts["healed"] += (each.number, "heal") in by_number
        counts["skipped"] += (each.number, "skipped") in by_number
        for event in ("not injected", "not healed"):
            if wrong := by_number.get((each.number, event)):
                offences.append(Offence(subject, f"{event}: {wrong.text}"))
        if begun and not by_number.keys() & {(each.number, "heal"), (each.number, "not healed")}:
            offences.append(Offence(subject, "never healed"))
        if lacks := lacking.get(each.number):
            offences.append(Offence(subject, lacks))
        known = any(number == each.number for number, _ in by_number)
        if not known and not interrupted:
            offences.append(Offence(subject, "never began"))
    if not (counts["injected"] or offences or interrupted):
        offences.append(Offence("schedule", "no fault was injected: such a run proves nothing"))
    return Verdict("faults", QUESTION, counts, offences)


def recovered(moments: Sequence[Moment]) -> Verdict:
    """Over the quiet gaps between groups of faults; the one after the last fault has a verdict of its own."""
    seen = seconds_to_ready(list(moments))
    slow = [(at, seconds) for at, seconds in seen if seconds > RECOVERY_SECONDS]
    seconds = [seconds for _, seconds in seen]
    counts = {
        "seen": len(seconds),
        "median seconds": round(median(seconds), 1) if seconds else 0,
        "most seconds": round(max(seconds, default=0), 1),
    }
    offences = [Offence(f"healed at {at:.0f} s", f"ready after {seconds:.0f} s") for at, seconds in slow]
    return Verdict("recoveries", "Was everything ready again soon after each group of faults?", counts, offences)


def exits(deaths: Sequence[Death], sent: SentSignals, began_at: float, children: Iterable[KilledChild] = ()) -> Verdict:
    """`deaths` are of processes that were to go on running, and `began_at` is the Unix time of the start of the load.

    A death is excused by a signal that a fault sent to that very process, and by nothing else: SIGKILL comes from the
    kernel too, when memory is short. The exit codes of servers are not judged: a full disk ends Postgres with 1.
    """
    offences, counts = [], {"by a signal": 0, "when told to stop": 0, "otherwise": 0}
    for death in deaths:
        got = sent.to(death.name, death.pid)
        if death.code < 0 and -death.code in got:
            counts["by a signal"] += 1
        elif death.code == 0 and got & TOLD_TO_STOP:
            counts["when told to stop"] += 1
        elif death.code <= 0 or death.name not in SERVERS:
            counts["otherwise"] += 1
            subject = f"process {death.name} ({death.pid})"
            offences.append(Offence(subject, f"ended {how(death)}, {death.at - began_at:.0f} s after the start"))
    for child in children:
        if child.number not in sent.to(child.parent, child.pid):
            counts["otherwise"] += 1
            detail = f"ended by {child.number.name}, which no fault has sent it: {KERNEL}"
            offences.append(Offence(f"child {child.pid} of {child.parent}", detail))
    return Verdict("exits", "Did processes end only by what faults have sent them?", counts, offences)


def recorded(*lacks: str) -> Verdict:
    """`lacks` has a sentence for each file of the run that is not whole, and an empty one for each that is."""
    offences = [Offence("file", lack) for lack in lacks if lack]
    return Verdict("records", "Is everything that the run saw in its files?", {}, offences)


def how(death: Death) -> str:
    """The end of a process that no fault has caused, in words, and where to look."""
    if death.code > 0:
        return f"with exit code {death.code}: see its log"
    if death.code == 0:
        return "with exit code 0, and no fault has told it to stop: see its log"
    if -death.code == signal.SIGKILL:
        return f"by SIGKILL, which no fault has sent it: {KERNEL}"
    return f"by {signal_of(death.code)}, which no fault has sent it: see its log"


def signal_of(code: int) -> str:
    """Its name, of a negative exit code."""
    known = {int(each): each.name for each in signal.Signals}
    return known.get(-code, f"signal {-code}")
