"""`ordersaga contracts`: documents of the contracts, and the check of a change."""

from pathlib import Path

import click

from ordersaga.cli.app import Application
from ordersaga.cli.contracts.check import check
from ordersaga.cli.errors import Failed
from ordersaga.schemas import files

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write into this directory, and print nothing.",
)
title_option = click.option("--title", default=files.TITLE, help="Title of the document.", show_default=True)
version_option = click.option(
    "--api-version", default=files.VERSION, metavar="TEXT", help="Version of the document.", show_default=True
)


@click.group()
def contracts() -> None:
    """Describe the contracts of the services, or check that a change of them breaks nobody.

    Everything is made from the code: no server is asked.
    """


@contracts.command(short_help="An AsyncAPI 3 document of all messages.")
@title_option
@version_option
@out_option
@click.pass_obj
def asyncapi(application: Application, title: str, api_version: str, out: Path | None) -> None:
    """Print the AsyncAPI 3.0.0 document: channels, messages, and what each service sends and receives.

    With --out it is DIR/asyncapi.json.
    """
    text = files.files_of(application.services, title, api_version)[files.DOCUMENT]
    written({files.DOCUMENT: text}, out) if out else click.echo(text, nl=False)


@contracts.command(short_help="A JSON Schema of each contract.")
@out_option
@click.pass_obj
def schemas(application: Application, out: Path | None) -> None:
    """Print the JSON Schemas (2020-12) of all contracts as one object, by name.

    With --out each is a file DIR/schemas/NAME.json; those of contracts that are gone are deleted.
    """
    found = files.schemas_of(application.services)
    if out is None:
        click.echo(files.text_of(found), nl=False)
    else:
        written({f"{files.SCHEMAS}/{name}.json": files.text_of(each) for name, each in found.items()}, out, prune=True)


def written(texts: dict[str, str], out: Path, prune: bool = False) -> None:
    try:
        files.write(texts, out, prune)
    except OSError as error:
        raise Failed(f"{out} cannot be written: {error}") from None
    click.echo(f"{len(texts)} files in {out}", err=True)


contracts.add_command(check)
