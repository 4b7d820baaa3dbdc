"""`ordersaga audit`: its commands, each imported only when it is used."""

from importlib import import_module

import click

COMMANDS = {
    "trail": ("stack.audit.trail:trail", "Who did what, when and why: of an order, an actor, a type, a time."),
    "why": ("stack.audit.why:why", "What a message came from and all that came of it."),
    "state": ("stack.audit.state:state_as_of", "An order as it was at a version or a time."),
    "export": ("stack.audit.export:export", "Write everything that a verifier needs, or a table for people."),
    "verify": ("stack.audit.verify:verify", "Name whatever was altered since it was recorded."),
    "erase": ("stack.audit.erase:erase", "Make a customer's personal data unreadable, everywhere."),
    "key": ("stack.audit.key:key", "Print the public key that checkpoints are verified with."),
}


class AuditCommands(click.Group):
    """Click's group, with lazy commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=AuditCommands)
def audit() -> None:
    """Ask who did what and why, prove that the record of it was not altered, erase personal data."""
