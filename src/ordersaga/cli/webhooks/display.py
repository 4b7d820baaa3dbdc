"""Subscriptions and deliveries as text for a person."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from ordersaga.cli.text import ago, printable
from ordersaga.webhooks.deliveries import WebhookDelivery
from ordersaga.webhooks.subscriptions import SubscriptionStatus, WebhookAction


def subscriptions_table(found: Iterable[SubscriptionStatus]) -> list[str]:
    """One line for each; below it why it is not active."""
    lines = [f"{'SUBSCRIPTION':38}{'STATE':10}{'PENDING':>8}{'FAILED':>8}  {'LAST SUCCESS':14}{'EVENTS':26}URL"]
    for each in found:
        last = ago(each.last_success_at) if each.last_success_at else "-"
        counts = f"{each.pending:>8}{each.failed:>8}"
        lines.append(f"{each.id!s:38}{each.state:10}{counts}  {last:14}{', '.join(each.events):25} {each.url}")
        lines += [f"  {text}" for text in troubles(each)]
    return list(map(printable, lines))


def troubles(each: SubscriptionStatus) -> Iterator[str]:
    if each.state_reason:
        yield f"{each.state}: {each.state_reason}"
    if each.failing_since:
        yield f"{each.failures} failed attempts since the last delivery, the first {ago(each.failing_since)}"


def subscription_text(
    found: SubscriptionStatus, last: Iterable[WebhookDelivery], actions: Iterable[WebhookAction]
) -> Iterator[str]:
    for name in ("id", "url", "format", "description", "state", "created_by", "created_at", "position"):
        yield printable(f"{name:16} {getattr(found, name) or '-'}")
    yield f"{'events':16} {', '.join(found.events)}"
    yield f"{'pending':16} {found.pending}"
    yield f"{'failed':16} {found.failed}"
    yield f"{'last success':16} {found.last_success_at or '-'}"
    if found.old_secret_until and found.old_secret_until > datetime.now(UTC):
        yield f"{'old secret until':16} {found.old_secret_until}"
    yield from (printable(f"  {text}") for text in troubles(found))
    yield from ["", "deliveries", *deliveries_table(last), "", "actions", *map(action_line, actions)]


def deliveries_table(found: Iterable[WebhookDelivery]) -> list[str]:
    lines = [f"{'DELIVERY':>10}  {'STATE':11}{'TRIED':>5}  {'NEXT':10}{'SINCE':12}{'EVENT':34}{'KEY':38}LAST ATTEMPT"]
    for each in found:
        when = f"{each.attempts:>5}  {next_attempt(each):10}{ago(each.created_at):12}"
        lines.append(f"{each.id:>10}  {each.state:11}{when}{each.type:33} {each.key:37} {last_attempt(each)}")
    return list(map(printable, lines))


def next_attempt(each: WebhookDelivery) -> str:
    if each.next_attempt_at is None:
        return "-"
    seconds = (each.next_attempt_at - datetime.now(UTC)).total_seconds()
    return f"in {seconds:.0f} s" if seconds > 0 else "now"


def last_attempt(each: WebhookDelivery) -> str:
    if not each.history:
        return "-"
    attempt = each.history[-1]
    said = attempt.error or f"it answered {attempt.status}"
    return f"{said} after {attempt.seconds:.2f} s"


def action_line(each: WebhookAction) -> str:
    return printable(
        f"{each.acted_at:%Y-%m-%d %H:%M:%S%z} {each.subscription_id} {each.action} by {each.actor}: {each.reason}"
    )
