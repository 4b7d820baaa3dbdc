"""FindingsOutput: prints each finding at once, as one line or as an item of one JSON object."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import click

from ordersaga.cli.text import printable


class FindingsOutput:
    """Call `finding` with each, and `end` once; `number` counts them."""

    def __init__(self, as_json: bool, as_text: Callable[[object], str] = str, max_lines: int | None = None) -> None:
        """`as_text` converts values that JSON cannot represent. Text output stops after `max_lines` findings."""
        self.number = 0
        self._as_json = as_json
        self._as_text = as_text
        self._most_lines = max_lines

    def finding(self, finding: Any) -> None:
        self.number += 1
        if self._as_json:
            click.echo((", " if self.number > 1 else '{"findings": [') + self._json(asdict(finding)), nl=False)
        elif self._most_lines is None or self.number <= self._most_lines:
            click.echo(printable(str(finding)))
        elif self.number == self._most_lines + 1:
            click.echo("... and more; --json prints all of them.")

    def end(self, total: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print `total` as the rest of the JSON object, or `lines` as text."""
        if self._as_json:
            opened = "" if self.number else '{"findings": ['
            click.echo(f"{opened}], {self._json({'clean': not self.number, **total})[1:]}")
        else:
            click.echo("\n".join(lines))

    def _json(self, value: Mapping[str, Any]) -> str:
        return json.dumps(value, default=self._as_text)
