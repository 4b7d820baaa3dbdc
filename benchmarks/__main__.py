"""`python -m benchmarks`: every figure beside its reference of the same run, as a table and as latest.json."""

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.table import Table

import tests.shop.support.schemas  # noqa: F401 - makes the shop's databases known
from benchmarks import append, backlog, consume, costs, growth, latency, read_side, rebuild, relay, saga, traces
from benchmarks.pace import Pace, sentence
from benchmarks.place import FULL, QUICK, Place
from benchmarks.rows import REACH, Row, reached
from devstack.servers.private import private_servers
from tests.support.counting import GROUP
from tests.support.databases import Databases

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"
LATEST = HERE / "latest.json"

STEPS: dict[str, tuple[str, Callable[[Place], list[Row]]]] = {
    "append": ("append a command from 8 threads", append.measure),
    "relay": ("relay against publishing from memory", relay.measure_in),
    "foreign": ("relay beside a stranger's transaction", backlog.measure_foreign_transaction),
    "backlog": ("relay with a million rows waiting", backlog.measure_million),
    "latency": ("from commit to consumer", latency.measure),
    "consume": ("consume, react, announce", consume.measure),
    "sagas": ("whole sagas over HTTP", saga.measure),
    "rebuild": ("rebuild the read side", rebuild.measure),
    "read_side": ("dashboard and audit with a million events", read_side.measure),
    "growth": ("a saga among a hundred thousand events", growth.measure),
    "costs": ("statements, round trips, WAL", costs.measure),
    "traces": ("a message with its trace recorded", traces.measure),
}


def run(place: Place, chosen: Sequence[str], pace: Pace) -> Iterator[Row]:
    for number, (what, measure) in enumerate((STEPS[name] for name in chosen), 1):
        began = time.monotonic()
        print(f"{number}/{len(chosen)} {what} ...", end=" ", file=sys.stderr, flush=True)
        yield from measure(place)
        pace.look()
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


def to_json(rows: Iterable[Row], about: Mapping[str, Any] | None = None) -> str:
    """`about`: interpreter, cores, load average and loop times (ms) of the run of all rows."""
    made = [{name: value for name, value in row._asdict().items() if name != "beside" or value} for row in rows]
    return json.dumps({**({"about": about} if about else {}), "rows": made}, indent=2) + "\n"


def from_json(text: str) -> dict[str, Row]:
    """By name."""
    return {row["name"]: Row(**row) for row in json.loads(text)["rows"]}


def table(rows: list[Row], baseline: dict[str, Row]) -> Table:
    made = Table("name", "value", "unit", "reference", "ratio", "ratio of the baseline", "to reach")
    for row in rows:
        before = baseline.get(row.name)
        figures = (said(row.value), row.unit, said(row.reference), said(row.ratio))
        made.add_row(row.name, *figures, said(before and before.ratio), goal(row))
    return made


def loads(rows: list[Row]) -> Iterator[str]:
    """What stands beside the rows of a load, a line for each load."""
    shown: list[object] = []
    for row in rows:
        if row.beside and row.beside not in shown:
            shown.append(row.beside)
            yield f"{row.name}: {', '.join(f'{name} {value}' for name, value in row.beside.items())}"


def said(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,}"


def goal(row: Row) -> str:
    if row.name not in REACH:
        return ""
    of, sign, bound = REACH[row.name]
    return f"{of} {sign} {bound}: {'reached' if reached(row) else 'MISSED'}"


def keep(rows: list[Row], path: Path, beside_others: bool, about: Mapping[str, Any]) -> None:
    """Write the rows, or put them in the place of those of the same names; `about` then describes no longer all."""
    before = from_json(path.read_text()) if beside_others and path.exists() else {}
    path.write_text(to_json({**before, **{row.name: row for row in rows}}.values(), None if before else about))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=f"{__doc__} See docs/BENCHMARKS.md.")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten: fewer rounds, wider scatter")
    parser.add_argument("--baseline", action="store_true", help="keep the figures as baseline.json too")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(STEPS),
        default=list(STEPS),
        metavar="STEP",
        help=f"these steps alone, beside the rows of before in the files: {', '.join(STEPS)}",
    )
    options = parser.parse_args(arguments)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    baseline = from_json(BASELINE.read_text()) if BASELINE.exists() else {}
    # As every daemon does: the relay here would look through the modules of all steps for garbage.
    gc.freeze()
    began, pace = time.monotonic(), Pace()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory, private_servers(directory, [GROUP]) as servers:
        place = Place(servers, Databases(servers.postgres), QUICK if options.quick else FULL)
        rows = list(run(place, options.only, pace))
    for path in (LATEST, *([BASELINE] if options.baseline else [])):
        keep(rows, path, options.only != list(STEPS), pace.about())
    Console(width=None if sys.stdout.isatty() else 150).print(table(rows, baseline))
    print("Beside the loads:", *loads(rows), sep="\n")
    print(f"{time.monotonic() - began:.0f} s; {sentence(pace.about())}")
    print(f"written to {LATEST}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
