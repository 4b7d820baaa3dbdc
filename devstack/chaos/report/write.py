"""Writes the files of a report."""

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devstack.chaos.report.report import Report
from ordersaga.cli.errors import Failed


def write(report: Report, directory: Path) -> None:
    """report.json first: it needs no library that could fail. Raises Failed, which names the file."""
    write_file(directory / "report.json", json.dumps(report.as_object(), indent=1) + "\n")
    from devstack.chaos.report.page import page

    write_file(directory / "report.html", page(report))


def keep_logs(directory: Path) -> None:
    """The logs of the stack, compressed, beside the report. Raises Failed, which names the file."""
    path = directory / "logs.tar.gz"
    with written(path) as new, tarfile.open(new, "w:gz") as archive:
        archive.add(directory / "state" / "logs", "logs")


def write_file(path: Path, text: str) -> None:
    with written(path) as new:
        new.write_text(text)


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Another path, whose file takes this one's place when it is whole; of half a file nothing is left."""
    new = path.with_name(f"{path.name}.new")
    try:
        yield new
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise Failed(
            f"{path} cannot be written: {error.strerror or error}. The run has ended, and everything is stopped. "
            "Make room, or name another place with --directory, and run it again."
        ) from None
