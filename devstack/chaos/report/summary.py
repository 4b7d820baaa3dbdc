"""The end of a chaos run as a person reads it in a terminal."""

from collections.abc import Iterator
from pathlib import Path

from devstack.chaos.rendering import lines as verdict_lines
from devstack.chaos.report.report import Report


def summary(report: Report, directory: Path) -> str:
    return "\n".join(lines(report, directory))


def lines(report: Report, directory: Path) -> Iterator[str]:
    yield ""
    if report.trouble:
        yield report.trouble.strip()
        yield ""
    for verdict in report.verdicts:
        yield from verdict_lines(verdict)
    yield ""
    ends = ", ".join(f"{number} {end}" for end, number in report.ends().items())
    yield f"  Faults   {len(report.spans)} injected"
    yield f"  Orders   {ends or 'none ended'}"
    seconds = ", ".join(f"{name} {value:.2f} s" for name, value in report.latency().items())
    yield f"  Latency  {seconds}, from placed to ended"
    page = directory / "report.html"
    yield f"  Report   {page if page.exists() else 'none'}"
    yield f"  Again    {report.facts.command}"
    yield ""
    yield report.result
