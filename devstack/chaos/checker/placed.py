"""Load: whether it has placed orders at all, and met no answer of an unknown form."""

from collections import Counter
from collections.abc import Sequence

from devstack.chaos.history import Operation
from devstack.chaos.verdict import Offence, Verdict

QUESTION = "Were orders acknowledged, and has no client of the load failed?"


def placed(operations: Sequence[Operation], failures: Sequence[str]) -> Verdict:
    """Of the load alone; `failures` is what its clients did not expect. Without an order, nothing was tested."""
    counts = Counter(each.outcome for each in operations if each.kind == "place_order")
    offences = [Offence("client", f"{said} ({times} times)") for said, times in Counter(failures).items()]
    if not counts["ok"]:
        offences.append(Offence("load", "no order was acknowledged: the other verdicts prove nothing"))
    return Verdict("load", QUESTION, {"ok": counts["ok"], "orders": counts.total()}, offences)
