"""`./ordersaga chaos list`: what each command does, and which faults a run chooses from."""

import json
from collections.abc import Mapping

import click

from devstack.breaking.scenarios.table import WHAT, scenario
from devstack.chaos.command import TABLE
from devstack.chaos.faults.catalogue import FAULTS
from ordersaga.cli.options import json_option

WIDTH = 110


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the commands of `chaos` with what they do, and the faults of a run."""
    scenarios = {name: scenario(name) for name in WHAT}
    others = {name: text for name, (_, text) in TABLE.items() if name not in WHAT and name != "list"}
    faults = {name: kind.does for name, kind in FAULTS.items()}
    if as_json:
        told = [
            {"name": name, "what": WHAT[name], "about": kind.about, "does": kind.does, "expect": kind.expect}
            for name, kind in scenarios.items()
        ]
        found = {"scenarios": told, "commands": as_list(others), "faults": as_list(faults)}
        click.echo(json.dumps(found))
        return
    show("Scenarios, each on a stack of its own, told step by step (`--help` says more of each)", WHAT)
    show("Other commands", others)
    show("Faults that `chaos run` chooses from", faults)


def as_list(texts: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "what": text} for name, text in texts.items()]


def show(heading: str, texts: Mapping[str, str]) -> None:
    if texts:
        click.echo(f"\n{heading}")
    indent = max(map(len, texts), default=0) + 4
    for name, text in texts.items():
        click.echo(click.wrap_text(text, WIDTH, f"  {name:{indent - 2}}", " " * indent))
