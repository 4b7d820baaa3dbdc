"""Writes the files of a report."""

import json
from pathlib import Path

from devstack.chaos.report.report import Report


def write(report: Report, directory: Path) -> None:
    """report.json first: it needs no library that could fail."""
    (directory / "report.json").write_text(json.dumps(report.as_object(), indent=1) + "\n")
    from devstack.chaos.report.page import page

    (directory / "report.html").write_text(page(report))
