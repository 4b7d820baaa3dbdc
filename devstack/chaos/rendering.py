"""Verdicts as a table of text and as JSON, for every command of chaos."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from devstack.chaos.verdict import Verdict

SHOWN = 20
"""Offences of a verdict that the text names; the JSON has all of them."""


def as_text(verdicts: Sequence[Verdict]) -> str:
    """A line for each verdict, its question, its counts, and whatever offends."""
    return "\n".join(line for verdict in verdicts for line in lines(verdict)) + f"\n\n{summary(verdicts)}"


def lines(verdict: Verdict) -> Iterator[str]:
    counts = ", ".join(f"{number:g} {word}" for word, number in verdict.counts.items())
    yield f"{'good' if verdict.is_good else 'BAD ':6}{verdict.name:14}{counts}"
    if verdict.is_good:
        return
    yield f"{'':20}{verdict.question}"
    yield from (f"{'':20}{offence.subject}: {offence.detail}" for offence in verdict.offences[:SHOWN])
    if (more := len(verdict.offences) - SHOWN) > 0:
        yield f"{'':20}and {more} more"


def summary(verdicts: Sequence[Verdict]) -> str:
    bad = [verdict.name for verdict in verdicts if not verdict.is_good]
    return f"Bad: {', '.join(bad)}." if bad else f"All {len(verdicts)} verdicts are good."


def as_objects(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """For JSON: `good` and the fields of each verdict."""
    return [{"good": verdict.is_good, **asdict(verdict)} for verdict in verdicts]
