"""How much is asked of the peers."""

from dataclasses import dataclass

SECTIONS = {"relay": "A", "saga": "B", "append": "C", "latency": "D"}
"""Name -> the harness's letter."""
WAITING = ["--wait"]


@dataclass(frozen=True)
class Size:
    """Cases are name, orders, orders a second (0: a burst) and options for ours alone."""

    reps: int
    cases: list[tuple[str, int, float, list[str]]]


def cases(burst: int, seconds: int) -> list[tuple[str, int, float, list[str]]]:
    paced = [(f"saga-{rate}/s", rate * seconds, float(rate)) for rate in (20, 50)]
    return [
        ("saga-burst", burst, 0.0, []),
        *((name, number, rate, []) for name, number, rate in paced),
        *((name, number, rate, WAITING) for name, number, rate in paced),
    ]


FULL = Size(3, cases(3000, 8))
QUICK = Size(1, cases(1000, 8))
