"""The verdicts of the run itself: faults injected and healed, how soon all was ready again, processes that gave up."""

import signal
from collections.abc import Mapping, Sequence
from statistics import median

from devstack.chaos.schedule import Scheduled
from devstack.chaos.timeline import Moment, seconds_to_ready
from devstack.chaos.verdict import Offence, Verdict

SENT = (0, signal.SIGKILL, signal.SIGTERM)
"""Exit code and signals of a process that a fault has ended; any other signal is a crash."""
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


def exits(codes: Mapping[str, Sequence[int]]) -> Verdict:
    """`codes` has the exit codes of all processes that were started again, by name."""
    offences = [
        Offence(f"process {name}", f"ended with {f'exit code {code}' if code > 0 else signal_of(code)}: see its log")
        for name, found in codes.items()
        for code in found
        if code > 0 or -code not in SENT
    ]
    counts = {
        "by a signal": sum(code < 0 and -code in SENT for found in codes.values() for code in found),
        "when told to stop": sum(code == 0 for found in codes.values() for code in found),
        "with an error": len(offences),
    }
    return Verdict("exits", "Has no process ended itself with an error?", counts, offences)


def signal_of(code: int) -> str:
    """Its name, of a negative exit code."""
    known = {int(each): each.name for each in signal.Signals}
    return known.get(-code, f"signal {-code}")
