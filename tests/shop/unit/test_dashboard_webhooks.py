"""What the pages say of webhooks: their state with its reason, what came back, and an address to operators alone."""

from datetime import UTC, datetime
from typing import Any, cast
from unittest.mock import MagicMock
from uuid import uuid4

import pytest

from ordersaga.webhooks.deliveries import DeliveryAttempt, WebhookDelivery
from ordersaga.webhooks.subscriptions import SubscriptionStatus
from projections.dashboard.components import webhook, webhooks
from projections.dashboard.pages.webhook_actions import perform
from projections.dashboard.services import Services
from projections.dashboard.webhooks import WebhookActions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = "https://chat.example/hooks/s3cret"
REFUSED = DeliveryAttempt(at=NOW, status=500, error="it answered 500", answer="no /hooks/s3cret", seconds=0.2)


def status(**more: Any) -> SubscriptionStatus:
    plain = {
        **dict.fromkeys(("position", "alarm_position", "failures", "pending", "failed"), 0),
        **dict.fromkeys(("failing_since", "last_success_at", "old_secret_until", "oldest_pending_at")),
    }
    named = {"id": uuid4(), "url": CHAT, "events": ["orders.*"], "format": "text", "description": "", "state": "active"}
    made = {"state_reason": "", "created_by": "olga", "created_at": NOW}
    return SubscriptionStatus.model_validate({**plain, **named, **made, **more})


def delivery(**more: Any) -> WebhookDelivery:
    named = {"id": 7, "subscription_id": uuid4(), "message_id": uuid4(), "type": "orders.x.v1", "key": str(uuid4())}
    made = {"state": "failed", "attempts": 10, "history": [REFUSED], "created_at": NOW, "ended_at": NOW}
    return WebhookDelivery.model_validate({**named, **made, "next_attempt_at": None, **more})


def test_a_webhook_that_is_disabled_says_why_and_since_when_it_fails_and_what_came_last() -> None:
    dead = status(state="disabled", state_reason="It answered 410 Gone.", failures=3, failing_since=NOW)
    shown = str(webhooks.subscriptions([dead], {dead.id: delivery()}, in_full=True))
    for said in (CHAT, "Disabled", "It answered 410 Gone.", "3 failed attempts since", "Failed for good", "500"):
        assert said in shown
    assert "disabled=False" in str(webhook.buttons(dead, may_act=True)[0])
    assert "Resume" in str(webhook.buttons(dead, may_act=True))
    assert "Pause" in str(webhook.buttons(status(), may_act=True))
    assert "./ordersaga webhooks add" in str(webhooks.how_to_add())
    assert "10 attempts; the last: it answered 500" in str(webhook.attempts(delivery(), in_full=True))
    assert "To be sent again" in str(webhook.attempts(delivery(attempts=0, state="pending"), in_full=True))
    assert "No webhook" in str(webhooks.subscriptions([], {}, in_full=True))


def test_only_operators_see_a_whole_address_and_what_was_answered_and_may_act() -> None:
    found, row = status(), delivery()
    for in_full in (True, False):
        shown = [
            webhooks.subscriptions([found], {found.id: row}, in_full=in_full),
            webhook.facts(found, in_full=in_full),
        ]
        shown.append(webhook.deliveries([row], may_act=in_full, in_full=in_full))
        assert ["s3cret" in str(each) for each in shown] == [in_full] * 3
        assert all("chat.example" in str(each) for each in shown[:2])
    buttons = webhook.buttons(found, may_act=False)
    assert all("disabled=True" in str(each) and webhook.WHY_NOT in str(each) for each in buttons[:-1])
    assert webhook.WHY_NOT in str(buttons[-1])


@pytest.mark.parametrize(
    ("pressed", "path", "said"),
    [
        ("test", "{id}/test", "sent as delivery 7"),
        ("retry 7", "deliveries/7/retry", "Delivery 7 is sent again"),
        ("retry-failed", "{id}/retry-failed", "2 failed deliveries are sent again"),
        ("pause", "{id}/pause", "until it is resumed"),
        ("resume", "{id}/resume", "in order"),
    ],
)
def test_each_button_asks_the_read_side_with_token_and_reason_and_says_what_came_of_it(
    pressed: str, path: str, said: str
) -> None:
    services, id_ = MagicMock(spec=Services), uuid4()
    services.ask.return_value = MagicMock(delivery=7, retried=2, changed=True)
    text = perform(WebhookActions(cast(Any, services), "a token"), pressed, id_, "mended")
    _, method, service, address, token, _ = services.ask.call_args.args
    asked = f"/webhooks/{path.format(id=id_)}"
    assert (method, service, address, token) == ("POST", "projections", asked, "a token")
    assert services.ask.call_args.kwargs == {"json": {"reason": "mended"}}
    assert said in text
