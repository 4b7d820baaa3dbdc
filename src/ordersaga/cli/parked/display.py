"""Parked messages as text for a person."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ordersaga.cli.text import ago, plain, printable
from ordersaga.parked.dry_run import DryRun
from ordersaga.parked.inspection import FailureGroup

OUTSIDE = {
    "none": "",
    "not called": "NOT RUN: it begins with an outside step (a call to another system), which a dry run leaves out.\n"
    "With --outside that call is made, and what it does there is not undone.",
    "called": "Its outside step WAS called, and what that did is not undone. Answer: {answer}",
}
STATES = {
    "retrying": "due now",
    "waiting": "waiting behind others of the same key, to be tried after them",
    "skipped": "skipped",
    "held": "held until you release them",
    "released": "no longer held",
    "gone": "no longer parked, left alone",
}
"""The state of a message after an action."""


def groups_json(found: Iterable[tuple[str, FailureGroup]]) -> list[dict[str, Any]]:
    return [{"group": name, **vars(each)} for name, each in found]


def groups_table(found: Iterable[tuple[str, FailureGroup]]) -> list[str]:
    """One line for each failure."""
    heading = f"{'FAILURE':10}{'GROUP':20}{'REFUSED BY':10}{'MESSAGES':>9}{'DEAD':>6}{'KEYS':>6}{'WAITING':>9}  "
    lines = [f"{heading}{'OLDEST':12}{'CONTRACT':34}ERROR"]
    for name, each in found:
        counts = f"{each.messages:>9}{each.dead:>6}{each.keys:>6}{each.followers:>9}"
        where = f"{each.failure:10}{name:20}{each.refused_by:10}"
        what = f"{each.contract or '-':33} {raised(each.error, each.place)}"
        lines.append(f"{where}{counts}  {ago(each.oldest):12}{what}")
        lines += [f"  {said}" for said in written(each)]
    return list(map(printable, lines))


def written(each: FailureGroup) -> list[str]:
    """A line for what people wrote about a failure, and for what they do with it now."""
    held = each.held_since and f"on hold by {each.held_by} since {ago(each.held_since)}: {each.held_reason}"
    run = each.run and f"run {each.run} retries it"
    noted = [f"{name}: {text}" for name, text in (("owner", each.owner), ("link", each.link)) if text]
    lines = [*noted, *each.note.splitlines(), held, run]
    return [line for line in lines if line]


def raised(error: str, place: str) -> str:
    """An error and its place; an unreadable message has no place."""
    return f"{error} at {place}" if place else error or "not tried yet"


def messages_table(found: Iterable[dict[str, Any]]) -> list[str]:
    """One line for each message; below it why the broker refused it."""
    heading = f"{'MESSAGE':38}{'GROUP':20}{'REFUSED BY':12}{'STATE':10}{'TRIED':>5}  {'NEXT':10}{'SINCE':12}"
    lines = [f"{heading}{'CONTRACT':34}{'KEY':38}ERROR"]
    for each in found:
        where = f"{each['message_id']!s:38}{each['group']:20}{each['refused_by']:12}{each['state']:10}"
        when = f"{each['attempts']:>5}  {next_attempt(each):10}{ago(each['parked_at']):12}"
        lines.append(f"{where}{when}{each['contract'] or '-':33} {each['key'] or '-':37} {each['error']}")
        if each["refused_by"] == "broker" and each["error"]:
            lines.append(f"  {each['message']}")
    return list(map(printable, lines))


def next_attempt(row: dict[str, Any]) -> str:
    """When it is tried next: in seconds, now, in turn behind others, after a rollout or a release, or by hand."""
    if row["on_hold"]:
        return "on hold"
    if row["next_attempt_at"] is None:
        return {"waiting": "in turn", "retrying": "rollout"}.get(row["state"], "by hand")
    seconds = (row["next_attempt_at"] - datetime.now(UTC)).total_seconds()
    return f"in {seconds:.0f} s" if seconds > 0 else "now"


def left_lines(left: Iterable[dict[str, Any]]) -> list[str]:
    """Messages that are still parked after they were retried, and why."""
    return printed(
        f"{each['group']}: {each['message_id']} is still parked (attempts: {each['attempts']}): {each['message']}"
        for each in left
    )


MESSAGE_LINES = ("message_id", "group", "refused_by", "contract", "key", "state", "attempts")


def message_text(found: dict[str, Any]) -> list[str]:
    """Everything about one message; text that others wrote is escaped."""
    lines = [f"{name:16} {found[name]}" for name in MESSAGE_LINES]
    lines += [f"{name:16} {found[name] or '-'}" for name in ("parked_at", "next_attempt_at")]
    lines.append(f"{'failure':16} {found['failure']}  {raised(found['error'], found['place'])}: {found['message']}")
    for name in ("before", "followers"):
        ids = found[name]
        more = f" and {len(ids) - 20} more" if len(ids) > 20 else ""
        lines.append(f"{name:16} {len(ids)}: {', '.join(map(str, ids[:20]))}{more}" if ids else f"{name:16} none")
    lines += ["headers", *(f"  {name}: {value}" for name, value in found["headers"].items())]
    lines += ["body", "  " + plain(found["body"])]
    if found["original_body"] is not None:
        lines += ["original body", "  " + plain(found["original_body"])]
    if found["actions"]:
        lines.append("actions")
    lines += ["  " + action_text(each) for each in found["actions"]]
    lines += ["traceback", *("  " + line for line in found["traceback"].splitlines())] if found["traceback"] else []
    return printed(lines)


def action_text(each: dict[str, Any]) -> str:
    return f"{each['acted_at']:%Y-%m-%d %H:%M:%S%z} {each['action']} by {each['actor']}: {each['reason'] or '-'}"


def actions_table(found: Iterable[dict[str, Any]]) -> list[str]:
    return printed(
        f"{each['message_id']} in {each['group']} ({each['refused_by']}): {action_text(each)}" for each in found
    )


def printed(texts: Iterable[str]) -> list[str]:
    return [printable(line) for text in texts for line in text.splitlines() or [""]]


def dry_run_text(group: str, run: DryRun) -> list[str]:
    lines = [f"{run.message_id} in {group}"]
    lines += [part for part in OUTSIDE[run.outside].format(answer=repr(run.answer)).splitlines() if part]
    if run.failure:
        lines.append(f"would FAIL: {raised(run.failure.error, run.failure.place)}: {run.failure.message}")
    if run.received_before:
        lines.append("has taken effect before: it would only be removed")
    for table, row in run.rows:
        lines += [f"+ {table}", *(f"    {name}: {value}" for name, value in row.items())]
    lines += [f"- {table}: {number} rows removed" for table, number in run.removed.items()]
    return printed(lines)
