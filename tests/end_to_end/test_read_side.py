"""What happens in the services is seen on the read side."""

from uuid import uuid4

import requests

from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until


def test_an_order_placed_over_http_shows_in_the_stream_and_among_the_sagas(stack: WholeStack) -> None:
    read, staff = stack.url("projections-api"), {"Authorization": f"Bearer {stack.token('auditor', 'aud')}"}
    alice = {"Authorization": f"Bearer {stack.token('customer', 'alice')}"}
    with requests.get(f"{read}/api/events/stream", headers=staff, stream=True, timeout=30) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines(chunk_size=None, decode_unicode=True)
        next(lines)
        placed = requests.post(
            f"{stack.url('orders-api')}/orders",
            json={"lines": [{"sku": "tea", "quantity": 1}], "card": "pm_card_visa"},
            headers={**alice, "Idempotency-Key": str(uuid4()), "Prefer": "wait=20"},
            timeout=30,
        )
        order_id = placed.json()["order_id"]
        told = next(line for line in lines if order_id in line and "stock_shipped" in line)
        assert told.startswith("data: ")

    def saga() -> dict[str, object]:
        found: dict[str, object] = requests.get(f"{read}/api/sagas/{order_id}", headers=alice, timeout=30).json()
        return found

    assert until(lambda: saga()["ended_at"])
    assert (saga()["state"], saga()["customer"], saga()["waits_for"]) == ("confirmed", "alice", None)
