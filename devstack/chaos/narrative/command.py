"""`./ordersaga chaos NAME`: the command that runs a scenario on a stack of its own and tells its narrative."""

import json
import os
from pathlib import Path

import click

from devstack import terminal
from devstack.breaking.run import seconds_option
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.scenario_narrative import ScenarioNarrative, tell
from devstack.chaos.narrative.text import Writer
from devstack.chaos.own_directory import own_directory
from devstack.chaos.stage import staged
from devstack.demo.shop import ServiceRefused
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import json_option
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal


def chaos_command_of(kind: type[FailureScenario]) -> click.Command:
    """The command that tells a scenario."""

    @click.command(help=f"{kind.does}\n\n{kind.about}\n\nWhat to expect: {kind.expect}\n\nHow it heals: {kind.heals}")
    @click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Keep data, logs and history of the stack in this new directory; look at it with `up --state DIR/state`.",
    )
    @seconds_option(kind, kind.brief)
    @json_option
    def command(state: Path | None, seconds: float, as_json: bool) -> None:
        interrupt_by_signal()
        writer = Writer(lambda text: click.echo(text, err=as_json))
        try:
            narrative = run(kind, state, seconds, writer)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except (ServiceRefused, OSError) as error:
            raise Failed(f"The scenario could not go on, and its stack is stopped: {error}") from None
        if as_json:
            click.echo(json.dumps(narrative.as_object(kind.name), default=str))
        else:
            writer.say(f"\n{conclusion(narrative, state)}")
        raise SystemExit(0 if narrative.is_good else 1)

    return command


def run(kind: type[FailureScenario], state: Path | None, seconds: float, writer: Writer) -> ScenarioNarrative:
    """On a stack that is started for it, and stopped afterwards."""
    console = terminal.console(stderr=True)
    writer.introduction(kind.name, kind.about, kind.does, kind.expect)
    with own_directory(state) as directory, staged(directory, console, {**os.environ, **kind.settings}) as stage:
        return tell(kind, stage, seconds, writer)


def conclusion(narrative: ScenarioNarrative, state: Path | None) -> str:
    kept = f" Look at it with ./ordersaga up --state {state}/state." if state else ""
    if narrative.is_good:
        return f"Everything ended as it must, and every verdict is good.{kept}"
    return f"Something is not as it must be: see above.{kept}"
