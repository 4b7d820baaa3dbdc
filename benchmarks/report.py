"""`python -m benchmarks.report`: the tables and pictures of docs/BENCHMARKS.md, from the figures that are kept."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.goals import goals_table
from benchmarks.kept import kept
from benchmarks.pace import sentence
from benchmarks.peers.side_by_side import Peer, markdown
from benchmarks.rows import REACH, Row, reached
from devstack.state import ROOT

PAGE = ROOT / "docs" / "BENCHMARKS.md"
README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "benchmarks"
MARK = "<!-- {} -->"
NOT_YET = "*Not measured yet: `{}`.*"
STEP_ROWS = (
    *("sagas_per_s", "saga_cpu_ms", "saga_cpu_at_20_per_s_ms", "saga_cpu_at_50_per_s_ms"),
    *("saga_at_20_per_s_p50_ms", "saga_at_20_per_s_p99_ms", "saga_at_50_per_s_p50_ms", "saga_at_50_per_s_p99_ms"),
    *("saga_at_80_percent_p99_ms", "saga_overload_accepted_p99_ms", "saga_overload_normal_after_s"),
)


def kept_baseline() -> dict[str, Any]:
    return dict(json.loads((ROOT / "benchmarks" / "baseline.json").read_text()))


def baseline() -> list[Row]:
    return [Row(**row) for row in kept_baseline()["rows"]]


def spelled(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


def baseline_table() -> Iterator[str]:
    if about := kept_baseline().get("about"):  # not after `--only`
        yield from (sentence(about), "")
    yield "| name | value | unit | reference | ratio | to reach |"
    yield "|---|---|---|---|---|---|"
    for row in baseline():
        of, sign, bound = REACH.get(row.name, ("", "", ""))
        goal = f"{of} {sign} {bound}: {'reached' if reached(row) else '**missed**'}" if of else ""
        figures = f"{spelled(row.value)} | {row.unit} | {spelled(row.reference)} | {spelled(row.ratio)}"
        yield f"| `{row.name}` | {figures} | {goal} |"


def beside_table() -> Iterator[str]:
    """What stands beside each load of the baseline."""
    loads = [(row.name, row.beside) for row in baseline() if row.beside]
    if not loads:
        yield NOT_YET.format("make bench-record")
    for of, beside in loads:
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in beside.items())
        yield f"- `{of}`: {said}"


def steps_table() -> Iterator[str]:
    """A column for each step."""
    steps: Sequence[dict[str, Any]] = kept("steps") or []
    if not steps:
        yield NOT_YET.format("python -m benchmarks.steps before=COMMIT ...")
        return
    yield f"| | {' | '.join(step['step'] for step in steps)} |"
    yield f"|---|{'---|' * len(steps)}"
    yield f"| commit | {' | '.join(step['commit'] for step in steps)} |"
    yield f"| load average after, the benchmark's own included | {' | '.join(str(step['load']) for step in steps)} |"
    for name in STEP_ROWS:
        yield f"| `{name}` | {' | '.join(spelled(plots.row(step, name)) for step in steps)} |"
    yield from ("", *map(shown, ("steps", "cpu", "curves")))


def shown(picture: str) -> str:
    return f"![{picture}](benchmarks/{picture}.svg)"


def peers_table() -> Iterator[str]:
    found = kept("peers")
    if not found:
        yield NOT_YET.format("python -m benchmarks.peers --keep")
        return
    runs = "once" if found["quick"] else "three times, medians"
    servers = ", ".join(f"{name} {value}" for name, value in found["servers"].items())
    yield f"{found['at']}; each measured {runs}. {sentence(found)}"
    yield f"One RabbitMQ and one Postgres for all: {servers}."
    yield ""
    yield from markdown(Peer(**each) for each in found["peers"])


def steady_lines() -> Iterator[str]:
    found = kept("steady")
    yield from beside_lines(found, "python -m benchmarks.steady --keep")
    if found:
        yield from ("", f"Before and after: {sentence(found['about'])}", "", shown("steady"))


def overload_lines() -> Iterator[str]:
    yield from beside_lines(kept("overload"), "python -m benchmarks.overload --keep")


def beside_lines(found: Any, command: str) -> Iterator[str]:
    if not found:
        yield NOT_YET.format(command)
        return
    for row in found["rows"]:
        yield f"- `{row['name']}`: {spelled(row['value'])} {row['unit']}"
        for name, value in (row.get("beside") or {}).items():
            yield f"  - {name.replace('_', ' ')}: {value}"


Parts = dict[str, Callable[[], Iterator[str]]]
PARTS: Parts = {
    "goals": goals_table,
    "baseline": baseline_table,
    "beside": beside_table,
    "steps": steps_table,
    "peers": peers_table,
    "steady": steady_lines,
    "overload": overload_lines,
}


README_ROWS = (
    ("append a command: key, events and outbox", "append_vs_psycopg", "{}/s", "{}/s: hand-written psycopg"),
    ("publish from the outbox, confirmed", "relay_vs_raw_publish", "{}/s", "{}/s: pika publishing from memory"),
    ("the same with a million rows waiting", "relay_at_1m_vs_20k", "{}/s", "{}/s: with 20,000"),
    ("from commit to the consumer, 20 messages/s, median", "commit_to_consumer_p50_ms", "{} ms", "{} ms: published"),
    ("the same, 99th percentile", "commit_to_consumer_p99_ms", "{} ms", "{} ms: published"),
    ("a consumer whose reactions write events and announce", "consume_per_s", "{}/s", ""),
    (
        "whole orders, HTTP to confirmed, every process on the same two cores",
        *("sagas_per_s", "{}/s", "{}/s: a monolith, one handler and one transaction"),
    ),
    ("rebuild of the read side, live", "rebuild_events_per_s", "{} events/s", "{} events/s: folded as they arrive"),
    ("the slowest query of the dashboard, a million events", "dashboard_slowest_query_ms_at_1m", "{} ms", ""),
    ("the slowest query of the audit trail", "audit_slowest_query_ms_at_1m", "{} ms", ""),
)


def readme_table() -> Iterator[str]:
    rows = {row.name: row for row in baseline()}
    yield "| | | reference of the same run |"
    yield "|---|---|---|"
    for what, name, value, reference in README_ROWS:
        row = rows[name]
        yield f"| {what} | {value.format(brief(row.value))} | {reference.format(brief(row.reference))} |"


def brief(figure: float | None) -> str:
    """As a reader remembers it."""
    return "" if figure is None else f"{figure:.1f}" if figure < 10 else f"{figure:,.0f}"


def filled(page: str, parts: Parts) -> str:
    """The page with every part between its marks replaced."""
    for name, lines in parts.items():
        start, end = MARK.format(name), MARK.format(f"/{name}")
        before, _, rest = page.partition(start)
        _, found, after = rest.partition(end)
        assert found, f"no {start} ... {end} in it"
        page = "\n".join([before + start, "", *lines(), "", end + after])
    return page


def pictures() -> dict[str, str]:
    """Name -> SVG, of what has been measured."""
    made: dict[str, str] = {}
    if steps := kept("steps"):
        made |= {"steps": plots.steps(steps), "cpu": plots.cpu(steps), "curves": plots.curves(steps)}
    if steady := kept("steady"):
        made["steady"] = plots.steady(steady)
    return made


def main() -> int:
    argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__).parse_args()
    for page, parts in ((PAGE, PARTS), (README, {"figures": readme_table})):
        page.write_text(filled(page.read_text(), parts))
    written: list[Path] = [PAGE, README]
    for name, svg in pictures().items():
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.svg").write_text(svg)
        written.append(PICTURES / f"{name}.svg")
    print("written:", *(path.relative_to(ROOT) for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
