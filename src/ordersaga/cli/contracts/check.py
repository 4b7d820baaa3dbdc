"""`ordersaga contracts check`: name the changes of contracts, and fail when one is breaking."""

from pathlib import Path

import click

from ordersaga.cli.app import Application
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.options import json_option
from ordersaga.cli.text import to_json
from ordersaga.schemas import files
from ordersaga.schemas.compatibility import Change, compared

DIRECTORY = Path("docs/contracts")


@click.command(short_help="Fail if a contract has changed so that a reader cannot read it.")
@click.option("--against", required=True, metavar="REF", help="A revision of git, or a directory with schemas.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DIRECTORY,
    show_default=True,
    help="Directory of the files that `contracts schemas --out` wrote, in the revision; relative to the current one.",
)
@json_option
@click.pass_obj
def check(application: Application, against: str, directory: Path, as_json: bool) -> None:
    """Compare the contracts of this code with their schemas in REF.

    \b
    breaking        new code cannot read an old message, or old code lacks
                    something in a new one: a field is removed, renamed, or new
                    and required; a type or bound is narrower; a default, source,
                    key or predecessor is another; a contract is removed that
                    was received. Make a new version.
    readers first   old code refuses some new messages: a bound is wider, an
                    enum has one more value. Roll out the readers before the
                    service that announces it.
    compatible      a new optional field, a new contract.

    Exit code 1 when something is breaking, else 0.
    """
    try:
        before = files.read(against, directory)
    except files.NoSchemas as error:
        raise CannotRunHere(str(error)) from None
    changes = list(compared(before, files.schemas_of(application.services)))
    breaking = sum(change.verdict == "breaking" for change in changes)
    if as_json:
        click.echo(to_json({"against": against, "breaking": breaking, "changes": [each._asdict() for each in changes]}))
    else:
        click.echo("\n".join([*map(line, changes), f"{len(before)} contracts compared, {breaking} breaking changes"]))
    raise SystemExit(1 if breaking else 0)


def line(change: Change) -> str:
    place = f"{change.contract} {change.path}".strip()
    advice = f"\n{'':15}{change.advice}" if change.advice else ""
    return f"{change.verdict:15}{place}: {change.what}{advice}"
