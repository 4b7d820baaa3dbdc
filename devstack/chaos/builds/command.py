"""`./ordersaga chaos broken-builds`: whether the checker finds what is broken on purpose."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from devstack.chaos.builds.build import Build
from devstack.chaos.builds.catalogue import BUILDS
from devstack.chaos.builds.harm import Harm
from devstack.chaos.builds.proof import Proof, control, prove
from devstack.chaos.own_directory import own_directory
from ordersaga.cli.options import json_option
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal

NAMES = [build.name for build in BUILDS]


@click.command("broken-builds")
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--list", "only_list", is_flag=True, help="List the builds with the lines that they exchange.")
@click.option("--control", "with_control", is_flag=True, help="Run the unbroken code under each harm too.")
@click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), help="Keep what the runs leave in this directory."
)
@json_option
def broken_builds(
    names: tuple[str, ...], only_list: bool, with_control: bool, directory: Path | None, as_json: bool
) -> None:
    """Break a line of the code on purpose, run that, and require that the checker finds it.

    Each build is a copy of the source in which a few lines are exchanged: a cursor that moves before the confirm, a
    refund that is left out, a hash that is not compared. It runs on a stack of its own under a small load, and under
    the harm that shows the mistake, which takes about a minute; without names all of them run.

    \b
    Example: ./ordersaga chaos broken-builds refund-left-out --control

    Exit codes: 0 each is caught by the verdict that has to, 1 one is not, or a control is not clean, 2 cannot run
    here, 130 interrupted.
    """
    builds = [build for build in BUILDS if build.name in (names or NAMES)]
    if only_list:
        return show_list(builds, as_json)
    interrupt_by_signal()
    try:
        found = list(proofs(builds, with_control, directory, as_json))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        click.echo(json.dumps({"proofs": [proof.as_object() for proof in found]}))
    raise SystemExit(0 if all(is_as_expected(proof) for proof in found) else 1)


def show_list(builds: Sequence[Build], as_json: bool) -> None:
    if as_json:
        listed = [
            {"name": b.name, "breaks": b.breaks, "harm": b.harm.does, "caught_by": b.caught_by, "diff": diff(b)}
            for b in builds
        ]
        return click.echo(json.dumps({"builds": listed}))
    for build in builds:
        click.echo(f"{build.name}\n    {build.breaks}\n    {build.harm.does} To be caught by: {build.caught_by}.")
        click.echo("\n".join(f"    {line}" for line in diff(build)) + "\n")
    return None


def diff(build: Build) -> list[str]:
    return [text for line in build.lines for text in (f"--- {line.file}", *line.as_diff())]


def proofs(builds: Sequence[Build], with_control: bool, directory: Path | None, as_json: bool) -> Iterator[Proof]:
    """One after the other; each is said as soon as it is known."""
    console = Console(stderr=True, quiet=True)
    if with_control:
        for number, harm in enumerate(controlled(builds)):
            with own_directory(directory and directory / f"control-{number}") as chosen:
                yield say(control(harm, chosen, console), as_json)
    for build in builds:
        with own_directory(directory and directory / build.name) as chosen:
            yield say(prove(build, chosen, console), as_json)


def controlled(builds: Iterable[Build]) -> list[Harm]:
    """The harms of these builds, each once."""
    return list(dict.fromkeys(build.harm for build in builds))


def say(proof: Proof, as_json: bool) -> Proof:
    click.echo(line_of(proof), err=as_json)
    return proof


def line_of(proof: Proof) -> str:
    """What became of one run, in a line, and what was found."""
    verdict = "as expected" if is_as_expected(proof) else "NOT AS EXPECTED"
    bad = ", ".join(proof.bad) or "nothing"
    lines = [f"{proof.build or 'unbroken':32}{verdict:18}{proof.seconds:5.1f} s  bad: {bad}"]
    for found in proof.verdicts:
        lines += [f"    {found.name}: {offence.subject}: {offence.detail}" for offence in found.offences[:2]]
    return "\n".join(lines)


def is_as_expected(proof: Proof) -> bool:
    """Whether a build is caught by its verdict, and the unbroken code is clean."""
    return caught_by(proof.build) in proof.bad if proof.build else not proof.bad


def caught_by(name: str) -> str:
    return next(build.caught_by for build in BUILDS if build.name == name)
