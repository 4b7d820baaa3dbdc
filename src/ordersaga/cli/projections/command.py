"""`ordersaga projections rebuild | status`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
import psycopg

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.findings_output import FindingsOutput
from ordersaga.cli.options import json_option
from ordersaga.cli.projections.progress import RebuildDisplay
from ordersaga.cli.projections.read_side import ViewName, read_side_of
from ordersaga.cli.projections.status import status
from ordersaga.readside.rebuild.one_view import rebuild_view
from ordersaga.readside.rebuild.progress import RebuildProgress
from ordersaga.readside.rebuild.rebuild import PATIENCE, Rebuild
from ordersaga.readside.rebuild.result import RebuildResult
from ordersaga.readside.rebuild.session import RebuildRefused
from ordersaga.runtime import failpoints
from ordersaga.runtime.reasons import reason_of, remedy_of
from ordersaga.runtime.signals import interrupt_by_signal

MAX_LINES = 200
"""Findings that are printed as text; --json prints all of them."""


@click.group()
def projections() -> None:
    """Rebuild the read side (the event log and the views folded from it), or show its status."""


projections.add_command(status)


@projections.command()
@click.option("--dry-run", is_flag=True, help="Only compare: name what differs, change nothing.")
@click.option("--view", type=ViewName(), metavar="VIEW", help="Only this view, from the live event log.")
@click.option("--keep", is_flag=True, help="Keep the replaced tables in the schema `replaced` until the next rebuild.")
@json_option
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="How long a message that is still under way may take before it counts as lost.",
)
@click.pass_obj
def rebuild(
    application: Application, dry_run: bool, view: str | None, keep: bool, as_json: bool, patience: float
) -> None:
    """Rebuild the read side from the event stores, while everything runs.

    It derives every message again, fills tables beside the live ones, catches up, names each row that differs, and
    puts the new tables in place in one transaction. Readers notice nothing. If it is killed, the live tables stay
    unchanged, and the next run starts from the beginning. Exit code 0 when it is done, 1 when a dry run has findings.
    """
    interrupt_by_signal()
    failpoints.begin()
    read_side = read_side_of(application)
    output = FindingsOutput(as_json, max_lines=MAX_LINES)
    options: dict[str, Any] = {
        "dry_run": dry_run,
        "keep": keep,
        "progress": RebuildProgress(show=RebuildDisplay().show),
    }
    with errors_as_failures():
        if view:
            url = application.database_url(read_side.database, OWNER)
            result = rebuild_view(read_side, url, view, output.finding, **options)
        else:
            result = Rebuild(read_side, application.owner_urls(), output.finding, patience=patience, **options).run()
    total = {name: value for name, value in asdict(result).items() if name != "findings"}
    output.end(total, sentences(result))
    raise SystemExit(1 if dry_run and result.findings else 0)


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for the errors and interruptions of a rebuild."""
    try:
        yield
    except RebuildRefused as error:
        raise Failed(str(error)) from None
    except psycopg.Error as error:
        remedy = remedy_of(error, otherwise="The live tables are as they were; run it again.")
        raise Failed(f"A database failed: {reason_of(error)}. {remedy}") from error
    except KeyboardInterrupt:
        raise Failed("Stopped. The live tables are as they were, and nothing is left behind.") from None


def sentences(result: RebuildResult) -> Iterator[str]:
    what = result.view or "read side"
    verdict = f"Findings: {result.findings:,}" if result.findings else "No finding"
    rate = result.messages / max(result.seconds, 0.001)
    yield f"{verdict}. {result.messages:,} messages in {result.seconds:.1f} s ({rate:,.0f}/s)."
    if result.dry_run:
        yield f"The {what} was compared and is as it was."
        return
    yield f"The {what} is rebuilt" + (", which repairs the findings above." if result.findings else ".")
    if result.recovered:
        yield f"{result.recovered:,} messages were only in the stores; they follow all others in the log."
    if result.left_out:
        yield f"{result.left_out:,} messages that no stored event announces are left out."
        yield "They are in the schema `replaced`, which the next rebuild purges."
