"""`python -m benchmarks.saga`: whole sagas through the whole stack, beside the monolith, at several loads."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import crowd, overload, stack, steady, under_load
from benchmarks.crowd import Crowd, Sustained
from benchmarks.customers import Customers
from benchmarks.monolith import Monolith, monolith
from benchmarks.place import Place
from benchmarks.rows import Row, compare, shortened
from benchmarks.under_load import Load
from devstack.records import Records
from devstack.running import Stack
from devstack.servers.postgres import OWNER

ROUNDS = 2
RATES = (20, 50)
"""Orders a second; what is quick alone shows at few, and what holds up the others at more."""
STEADY_SECONDS = 15.0
OVERLOAD_SECONDS = 8.0


class Figures(NamedTuple):
    """Of the stack or of the monolith, in one round."""

    sustained: Sustained
    at: dict[int, Load]
    """By rate."""


class Run(NamedTuple):
    """`rounds` has the stack and the monolith of each."""

    rounds: list[tuple[Figures, Figures]]
    steady: steady.Steady
    steady_monolith: Load
    overload: overload.Overload


def of_monolith(running: Stack, server: Monolith, seconds: float) -> Sustained:
    with closing(Customers(server.port, "")) as few:
        return crowd.sustained(Crowd(few, lambda _: set()), monolith_pids(running, server), seconds)


def monolith_pids(running: Stack, server: Monolith) -> dict[str, int]:
    postgres = Records(running.state).find("postgres")
    assert postgres
    return {"monolith": server.pid, "postgres": postgres.pid}


def measure_once(running: Stack, server: Monolith, seconds: float) -> tuple[Figures, Figures]:
    """The stack and the monolith, turn by turn."""
    ours, theirs = crowd.of_stack(running, seconds), of_monolith(running, server, seconds)
    ours_at, theirs_at = {}, {}
    for rate in RATES:
        ours_at[rate] = under_load.of_stack(running, rate, seconds)
        theirs_at[rate] = under_load.of_server(server.port, monolith_pids(running, server), rate, seconds / 2)
    return Figures(ours, ours_at), Figures(theirs, theirs_at)


def measure_all(running: Stack, server: Monolith, rounds: int, seconds: float) -> Run:
    found = [measure_once(running, server, seconds) for _ in range(rounds)]
    carried = median(ours.sustained.per_s for ours, _ in found)
    rate = steady.SHARE * crowd.of_waiting(running, seconds).per_s
    return Run(
        found,
        steady.steady(running, rate, STEADY_SECONDS),
        under_load.of_server(server.port, monolith_pids(running, server), rate, seconds / 2),
        overload.overload(running, overload.SHARE * carried, OVERLOAD_SECONDS),
    )


def rows(run: Run) -> list[Row]:
    return [*full_rows(run), *rate_rows(run), steady_row(run), *overload.rows(run.overload)]


def compared(name: str, unit: str, run: Run, figure: Callable[[Figures], float]) -> Row:
    ours, theirs = ([figure(each) for each in of] for of in zip(*run.rounds, strict=True))
    return compare(name, unit, ours, theirs)


def full_rows(run: Run) -> list[Row]:
    memory = round(median(ours.sustained.memory_mb for ours, _ in run.rounds))
    shed = sum(ours.sustained.shed for ours, _ in run.rounds)
    per_s = compared("sagas_per_s", "sagas/s", run, lambda each: each.sustained.per_s)
    cpu = compared("saga_cpu_ms", "ms", run, lambda each: sum(each.sustained.cpu.values()))
    return [per_s._replace(beside={"shed": shed, "memory_mb": memory}), cpu]


def rate_rows(run: Run) -> Iterator[Row]:
    for rate in RATES:
        beside = medians([ours.at[rate].beside() for ours, _ in run.rounds])
        for percent in (50, 99):
            name = f"saga_at_{rate}_per_s_p{percent}_ms"
            made = compared(name, "ms", run, lambda each, rate=rate, percent=percent: each.at[rate].p(percent))  # type: ignore[misc]
            yield made._replace(beside=beside)
        yield compared(f"saga_cpu_at_{rate}_per_s_ms", "ms", run, lambda each, rate=rate: each.at[rate].cpu_ms)  # type: ignore[misc]


def steady_row(run: Run) -> Row:
    return steady.row(run.steady, shortened(run.steady_monolith.p(99)))


def medians(of_rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Orders stay whole numbers."""
    middle_ones = {name: median(each[name] for each in of_rounds) for name in of_rounds[0]}
    return {name: int(figure) if figure == int(figure) else figure for name, figure in middle_ones.items()}


def cpu_by_process(run: Run) -> dict[str, dict[str, float]]:
    """Load -> process -> milliseconds of CPU per saga."""
    found = {"full": middle([ours.sustained.cpu for ours, _ in run.rounds])}
    for rate in RATES:
        loads = [ours.at[rate] for ours, _ in run.rounds]
        found[f"{rate}/s"] = middle(
            [{name: 1000 * seconds / max(1, load.ended) for name, seconds in load.cpu.items()} for load in loads]
        )
    return found


def middle(of_rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(each[name] for each in of_rounds), 3) for name in of_rounds[0]}


CURVE = (50, 75, 90, 95, 98, 99, 99.5, 99.9)


def curves(run: Run) -> dict[str, dict[str, float]]:
    """Load -> percentile -> milliseconds, over all rounds."""
    times = {f"{rate}/s": [time for ours, _ in run.rounds for time in ours.at[rate].times] for rate in RATES}
    times["80 %"] = run.steady.load.times
    return {load: {str(p): round(under_load.percentile(of, p), 1) for p in CURVE} for load, of in times.items()}


def measure(place: Place) -> list[Row]:
    if place.size.saga_seconds is None:
        return []
    return rows(measured(ROUNDS, place.size.saga_seconds))


def measured(rounds: int, seconds: float) -> Run:
    with whole_shop() as (running, server):
        return measure_all(running, server, rounds, seconds)


@contextmanager
def whole_shop() -> Iterator[tuple[Stack, Monolith]]:
    """The stack, and the monolith on the same Postgres."""
    with tempfile.TemporaryDirectory(prefix="saga-") as directory, stack.shop(Path(directory)) as running:
        owner = running.environments.database_url("monolith", OWNER)
        with monolith(running.environments.owner_urls()["order_service"], owner, "monolith") as server:
            yield running, server


def to_json(run: Run) -> dict[str, Any]:
    """With the load average, the CPU of each process and the latency curves."""
    made = [row._asdict() for row in rows(run)]
    return {"load": round(os.getloadavg()[0], 1), "rows": made, "cpu_ms": cpu_by_process(run), "curves": curves(run)}


def report(run: Run) -> None:
    for load, processes in cpu_by_process(run).items():
        for name, milliseconds in processes.items():
            print(f"{milliseconds:8.3f} ms of CPU per saga  {load:5} {name}")
    for row in rows(run):
        print(row)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.saga", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each part of a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    options = parser.parse_args()
    run = measured(options.rounds, options.seconds)
    if options.json:
        print(json.dumps(to_json(run), indent=2))
    else:
        report(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
