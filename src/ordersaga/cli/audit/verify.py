"""`ordersaga audit verify`: name every event that was altered since it was recorded."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from ordersaga.audit.checkpoint import KeptCheckpoints
from ordersaga.audit.event_log_check import EventLogCheck
from ordersaga.audit.note import BadKey, BadNote, VerifierKey
from ordersaga.audit.records import BadExport, Record, read_export
from ordersaga.audit.sealed_log import read_notes
from ordersaga.audit.store_check import VerifyTotals
from ordersaga.audit.verify import PATIENCE
from ordersaga.audit.verify import verify as judge
from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.audit.live_records import live_records
from ordersaga.cli.audit.options import log_option
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.findings_output import FindingsOutput
from ordersaga.cli.live_line import live_line
from ordersaga.cli.options import json_option
from ordersaga.cli.text import plain

a_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--export", "exported", type=a_file, help="Verify this file of `audit export`, without any server.")
@click.option("--key", "key_text", help="The public key, or a file with it.  [default: of the sealer]")
@click.option(
    "--checkpoints", type=a_file, multiple=True, help="Checkpoints that were kept elsewhere; may be given again."
)
@log_option
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=PATIENCE.total_seconds(),
    show_default=True,
    metavar="SECONDS",
    help="How long an event may take to be sealed.",
)
@json_option
@click.pass_obj
def verify(
    application: Application,
    exported: Path | None,
    key_text: str | None,
    checkpoints: Sequence[Path],
    log_directory: Path | None,
    patience: float,
    as_json: bool,
) -> None:
    """Compare every event with its sealed leaf and the signed root; name events that are edited, deleted, inserted,
    reordered, truncated or re-stamped.

    Without --export it reads the databases as they are now. It changes nothing. Exit code 0 without findings, else 1.
    """
    key = given_key(key_text) if key_text else application.audit_key()
    kept = kept_checkpoints(checkpoints, key)
    output = FindingsOutput(as_json, plain)
    with source(application, exported, log_directory, output) as found, live_line("verifying") as line:
        try:
            totals = judge(
                found,
                key,
                output.finding,
                kept=kept,
                patience=timedelta(seconds=patience),
                progress=lambda each: line.show(f"{each.store}: {each.events:,} events ({line.rate(each.events)})"),
            )
        except BadExport as error:
            raise Failed(f"{exported}: {error}") from None
    if not totals:
        raise Failed(f"{exported} is empty: it is not an audit export.")
    output.end({"stores": [asdict(each) for each in totals]}, lines(totals, output.number))
    raise SystemExit(1 if output.number else 0)


@contextmanager
def source(
    application: Application, exported: Path | None, log_directory: Path | None, output: FindingsOutput
) -> Iterator[Iterable[Record]]:
    """The records of an export, or of the live databases compared with the event log."""
    if exported:
        with exported.open(encoding="utf-8", errors="replace") as file:
            yield read_export(file)
        return
    found = live_records(application, log_directory)
    read_side = application.read_side
    if read_side is None:
        yield found
        return
    with connected(application, read_side, OWNER) as event_log:
        announcements = {each.database: each.announcements for each in application.with_outbox}
        yield EventLogCheck(event_log, announcements, output.finding).pass_on(found)


def given_key(text: str) -> VerifierKey:
    """The key, or the key in the file of this name. Raises Failed."""
    with suppress(BadKey):
        return VerifierKey.parse(text)
    try:
        return VerifierKey.parse(Path(text).read_text())
    except (OSError, ValueError):
        raise Failed(
            f"--key: {text!r} is neither a verifier key (NAME+ID+KEY) nor a file with one. "
            f"{full_command('audit key')} prints it."
        ) from None


def kept_checkpoints(paths: Sequence[Path], key: VerifierKey) -> KeptCheckpoints:
    """Raises Failed."""
    kept = KeptCheckpoints()
    for path in paths:
        try:
            kept.checkpoints |= KeptCheckpoints.of((note.text for note in read_notes(path)), key).checkpoints
        except BadNote as error:
            raise Failed(f"{path}: a checkpoint is not good: {error}") from None
    if paths and not kept.checkpoints:
        raise Failed(f"{paths[0]} holds no checkpoint.")
    return kept


def lines(totals: Sequence[VerifyTotals], findings: int) -> Iterator[str]:
    for each in totals:
        signed = f"{each.checkpoints} checkpoints from {each.since} to {each.until}" if each.until else "unsigned"
        yield f"{each.store:20}{each.events:>10} events, {each.sealed} sealed, {signed}"
    yield f"Findings: {findings}" if findings else "Clean: every sealed event is as it was signed."
