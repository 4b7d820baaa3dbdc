"""What a mistyped name was meant to be, and the names that complete what is typed so far."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import click
from click.shell_completion import CompletionItem


def not_one_of(name: str, known: Iterable[str]) -> str:
    """A sentence that the name is not known, which names are, and which one was probably meant."""
    names = list(known)
    return f"{name!r} is not one of {', '.join(map(repr, names))}. {meant(name, names)}".rstrip()


def meant(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?` with the nearest of the known names; empty when none is near."""
    near = [repr(each) for each in get_close_matches(name.lower(), list(known))]
    if not near:
        return ""
    return f"Did you mean {near[0]}?" if len(near) == 1 else f"Did you mean {', '.join(near[:-1])} or {near[-1]}?"


def completions(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    """For a shell: the names that begin with what is typed."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class OneOf(click.Choice[str]):
    """A parameter that is one of these names; the error for another value suggests the nearest name."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return not_one_of(str(value), self.choices)
