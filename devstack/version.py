"""`./ordersaga --version`: of the library, of Python, and of the checkout."""

import subprocess
import sys

import click

from devstack.state import ROOT
from ordersaga import __version__


def print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        found = [f"ordersaga {__version__}", f"Python {sys.version.split()[0]}", revision()]
        click.echo(", ".join(filter(None, found)))
        context.exit()


def revision() -> str:
    """The commit that is checked out, and whether files differ from it; empty outside of a checkout."""
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--exclude=*", "--dirty= with local changes"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return ""
    return f"revision {done.stdout.strip()}" if done.returncode == 0 else ""


version_option = click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Print the version."
)
