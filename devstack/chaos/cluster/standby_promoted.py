"""`./ordersaga chaos standby-promoted`: a primary of Postgres dies under load, and its standby takes over."""

import json
import os
from pathlib import Path
from typing import cast

import click

from devstack import terminal
from devstack.chaos.cluster.failover import ON_PAIR, Failover
from devstack.chaos.cluster.pair import Mode
from devstack.chaos.cluster.stage import stage_on_pair
from devstack.chaos.own_directory import own_directory
from devstack.chaos.rendering import as_objects, as_text
from ordersaga.cli.options import json_option
from ordersaga.runtime.signals import INTERRUPTED, interrupt_by_signal

PROMISE = {
    "synchronous": "Every commit waits for the standby, so nothing that was acknowledged may be lost.",
    "asynchronous": (
        "The primary does not wait for its standby, which lags: commits are lost although their messages are out. "
        "The loss must be caught: the relay says it, and reconcile names each order."
    ),
}


@click.command("standby-promoted")
@click.option(
    "--mode",
    type=click.Choice(["synchronous", "asynchronous"]),
    default="synchronous",
    show_default=True,
    help="Whether commits wait for the standby.",
)
@click.option("--seconds", type=click.FloatRange(1, 600), default=10, show_default=True, help="Load before and after.")
@click.option("--rate", type=click.FloatRange(0.1, 50), default=5, show_default=True, help="Orders a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides the load and the moment of death.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep data, logs and history in this new directory.",
)
@json_option
def standby_promoted(mode: str, seconds: float, rate: float, seed: int, state: Path | None, as_json: bool) -> None:
    """Kill the primary of a pair of Postgres servers under load, promote its standby, and check what it cost.

    The stack runs on a pair of servers of its own, and each of its URLs names both.

    \b
    synchronous    all databases fail over; every verdict must be good
    asynchronous   the database of orders fails over to a standby that lags; the loss must be caught

    \b
    Example: ./ordersaga chaos standby-promoted --mode asynchronous

    Exit codes: 0 every verdict that must be good is, 1 one is not, 2 cannot run here, 130 interrupted.
    """
    interrupt_by_signal()
    try:
        with own_directory(state) as directory:
            done = perform(cast(Mode, mode), seconds, rate, seed, directory, as_json)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    is_good = all(verdict.is_good for verdict in done.judged)
    if as_json:
        verdicts = {"verdicts": as_objects(done.judged), "seen": as_objects(done.seen)}
        click.echo(json.dumps({"mode": mode, "seed": seed, "good": is_good, **verdicts}, default=str))
    else:
        click.echo(f"\n{as_text(done.judged)}")
        if done.seen:
            click.echo(f"\nWhat the checker sees of the loss:\n\n{as_text(done.seen)}")
            click.echo("\ndocs/runbooks/HistoryLost.md says what a person does then.")
    raise SystemExit(0 if is_good else 1)


def perform(mode: Mode, seconds: float, rate: float, seed: int, directory: Path, as_json: bool) -> Failover:
    """On a stack that is started for it, and stopped afterwards."""

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    say(f"{PROMISE[mode]}\n")
    console = terminal.console(stderr=True)
    with stage_on_pair(directory, console, os.environ, mode, ON_PAIR[mode]) as (stage, pair):
        done = Failover(stage, pair, say)
        done.run(seconds=seconds, rate=rate, seed=seed)
        return done
