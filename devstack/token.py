"""`./ordersaga token`: a bearer token to call the services with; `token rotate` changes the key that signs them."""

from datetime import timedelta
from pathlib import Path

import click

from devstack import token_keys
from devstack.demo.customers import token as make_token
from devstack.options import HELP, StateDirectory, state_option
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import json_option
from ordersaga.cli.text import to_json

ROLES = ["customer", "operator", "auditor"]
COPY = click.Path(dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True, subcommand_metavar="[rotate [--list | --drop-old]]")
@state_option
@click.option("--role", type=click.Choice(ROLES), help="Role of the subject.  [required]")
@click.option("--subject", help="Name of the caller; a customer sees only the orders of this name.  [required]")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=12, show_default=True, help="Lifetime.")
@click.option("--public-keys", type=COPY, metavar="FILE", help="Where `rotate` also writes the public keys.")
@click.pass_context
def token(
    ctx: click.Context, state: State, role: str | None, subject: str | None, hours: float, public_keys: Path | None
) -> None:
    """Print a bearer token that the services of this state directory accept.

    Example: curl -H "Authorization: Bearer $(./ordersaga token --role customer --subject alice)" ...
    """
    if ctx.invoked_subcommand:
        ctx.obj = (state, public_keys)
        return
    for option in ctx.command.params:
        if option.name in ("role", "subject") and ctx.params[option.name] is None:
            raise click.MissingParameter(ctx=ctx, param=option)
    try:
        click.echo(make_token(existing(state), str(role), str(subject), timedelta(hours=hours)))
    except ValueError as error:
        raise Failed(str(error)) from None


def existing(state: State) -> State:
    """The same. Raises Failed when no stack has used it."""
    if not state.exists():
        raise Failed(f"No stack has run in {state.directory} yet. Start one with `./ordersaga up` first.")
    return state


@token.command()
@click.option("--state", type=StateDirectory(), metavar="DIR", help=HELP)
@click.option("--list", "only_list", is_flag=True, help="Show the keys, and change nothing.")
@click.option("--drop-old", is_flag=True, help="Refuse the tokens of all earlier keys from now on.")
@click.option("--yes", is_flag=True, help="Drop without asking.")
@json_option
@click.pass_obj
def rotate(
    given: tuple[State, Path | None], state: State | None, only_list: bool, drop_old: bool, yes: bool, as_json: bool
) -> None:
    """Sign tokens with a new key from now on. Tokens of earlier keys stay valid until `--drop-old`.

    A running stack takes note at once, without a restart. Drop the earlier keys once the tokens that they signed have
    expired: `--list` says when each key was replaced.
    """
    if only_list and drop_old:
        raise click.UsageError("Give --list or --drop-old, not both.")
    state, copies = existing(state or given[0]), [given[1]] if given[1] else []
    if drop_old:
        ask_to_drop(state, yes)
        token_keys.drop_old(state, copies)
    elif not only_list:
        token_keys.rotate(state, copies)
    click.echo(to_json({"keys": listed(state)}) if as_json else as_text(state))


def ask_to_drop(state: State, yes: bool) -> None:
    """Raises Failed when there is nothing to drop, Abort when the answer is no."""
    old = token_keys.old_keys(state)
    if not old:
        raise Failed("There is no earlier key: `./ordersaga token rotate` makes a new one first.")
    if not yes:
        click.echo(f"The latest of {len(old)} earlier keys was replaced at {old[0].replaced_at}.", err=True)
        click.confirm("Refuse all of their tokens from now on?", abort=True, err=True)


def listed(state: State) -> list[dict[str, object]]:
    """The key that signs first."""
    old = [{"kid": key.kid, "signs": False, "replaced_at": key.replaced_at} for key in token_keys.old_keys(state)]
    return [{"kid": token_keys.current_id(state), "signs": True, "replaced_at": None}, *old]


def as_text(state: State) -> str:
    old = [f"{key.kid}  verifies; replaced at {key.replaced_at}" for key in token_keys.old_keys(state)]
    return "\n".join([f"{token_keys.current_id(state)}  signs and verifies", *old])
