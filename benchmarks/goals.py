"""The figures to reach, with what the kept runs say of each."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent


class Goal(NamedTuple):
    """`figure` finds it in the kept figures; None when it has not been measured."""

    what: str
    sign: str
    bound: float
    figure: Callable[["Kept"], float | None]


class Kept:
    """The baseline, and what is kept of the peers and of the five minutes."""

    def __init__(self, directory: Path = HERE) -> None:
        self._baseline = {row["name"]: row for row in read(directory / "baseline.json", {"rows": []})["rows"]}
        self._peers = read(directory / "figures" / "peers.json", {"peers": []})["peers"]
        self._steady = read(directory / "figures" / "steady.json", {"rows": [{}]})["rows"][0]

    def row(self, name: str, of: str) -> float | None:
        found: float | None = self._baseline.get(name, {}).get(of)
        return found

    def peer(self, case: str, peer: str, of: str) -> float | None:
        """Ours / theirs, of the peer whose name begins so."""
        return next((each[of] for each in self._peers if each["case"] == case and each["peer"].startswith(peer)), None)

    def steady(self, of: str) -> float | None:
        found: float | None = self._steady.get("beside", {}).get(of, self._steady.get(of))
        return found


def read(path: Path, nothing: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else nothing


def row(name: str, of: str) -> Callable[[Kept], float | None]:
    return lambda kept: kept.row(name, of)


def peer(case: str, name: str, of: str = "ratio") -> Callable[[Kept], float | None]:
    return lambda kept: kept.peer(case, name, of)


def steady(of: str) -> Callable[[Kept], float | None]:
    return lambda kept: kept.steady(of)


GOALS = (
    Goal("whole sagas/s / naive Flask and pika", ">=", 1, peer("saga-burst", "naive")),
    *(
        Goal(f"whole sagas/s / {name}", ">=", 2, peer("saga-burst", name))
        for name in ("eventsourcing", "celery", "dbos")
    ),
    Goal("whole sagas/s / the monolith", ">=", 0.45, row("sagas_per_s", "ratio")),
    Goal("ms of CPU for a saga at full load", "<=", 5, row("saga_cpu_ms", "value")),
    Goal("ms of CPU for a saga at 20/s", "<=", 20, row("saga_cpu_at_20_per_s_ms", "value")),
    Goal("p50 at 20/s / eventsourcing's", "<=", 2, peer("saga-20/s", "eventsourcing")),
    Goal("p99 at 20/s / eventsourcing's", "<=", 2, peer("saga-20/s", "eventsourcing", "p99_ratio")),
    Goal("p99 at 50/s, ms", "<", 100, row("saga_at_50_per_s_p99_ms", "value")),
    Goal("p99 at 80 % of the sustained rate, five minutes, ms", "<", 250, steady("value")),
    Goal("the last third's p99 / the first's", "<=", 1.2, steady("p99_growth")),
    Goal("the last third's memory / the first's", "<=", 1.05, steady("memory_growth")),
    Goal(
        "ms of CPU for a saga among 100,000 events / among 10,000",
        "<=",
        1.2,
        row("growth_saga_cpu_ms_at_100k_events", "ratio"),
    ),
    Goal("append / the library's recorder", ">=", 3, row("append_vs_library", "ratio")),
    Goal("relay / publishing from memory", ">=", 0.85, row("relay_vs_raw_publish", "ratio")),
    Goal("relay with a million rows waiting / with 20,000", ">=", 0.9, row("relay_at_1m_vs_20k", "ratio")),
    Goal("relay beside a stranger's transaction / without", ">=", 0.9, row("relay_with_foreign_transaction", "ratio")),
)


def is_reached(goal: Goal, figure: float) -> bool:
    return {">=": figure >= goal.bound, "<": figure < goal.bound, "<=": figure <= goal.bound}[goal.sign]


def goals_table(kept: Kept | None = None) -> Iterator[str]:
    kept = kept or Kept()
    yield "| figure | to reach | measured | |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        figure = goal.figure(kept)
        said = "not yet" if figure is None else f"{figure:.4g}"
        verdict = "" if figure is None else "reached" if is_reached(goal, figure) else "**missed**"
        yield f"| {goal.what} | {goal.sign} {goal.bound:g} | {said} | {verdict} |"
