"""The broken builds: each is a mistake that somebody could make, in as few lines as it takes."""

from devstack.chaos.builds import harm
from devstack.chaos.builds.build import Build, Line

SRC = "src/ordersaga"

BUILDS = (
    Build(
        "no-inbox-row",
        "A worker does not record which messages have taken effect.",
        [
            Line(
                f"{SRC}/store/transaction.py",
                "        self.rows.received.append(ReceivedRow(message, None if is_parked else message.key))\n",
                "",
            )
        ],
        "effects",
    ),
    Build(
        "cursor-before-confirm",
        "The relay's cursor moves past a message that is sent, before the broker confirms it.",
        [
            Line(
                f"{SRC}/relay/dispatch.py",
                "            self._publisher.send([row.message for row in chunk], routes.of if routes else None)\n",
                "            self._publisher.send([row.message for row in chunk], routes.of if routes else None)\n"
                "            self.in_flight.mark_settled(chunk)\n",
            )
        ],
        "effects",
        harm.BROKER_KILLED_WHILE_FROZEN,
    ),
    Build(
        "position-is-the-cursor",
        "The relay goes by what is newer than its snapshot alone, so that a row that commits late is lost.",
        [
            Line(
                f"{SRC}/database/snapshot_window.py",
                "    where xid = any(array(select pg_snapshot_xip(%(since)s))) and {seen}",
                "    where false and {seen}",
            )
        ],
        "effects",
        harm.SLOW_COMMITS,
    ),
    Build(
        "order-of-a-key-ignored",
        "The relay sends the rows of a page in no order of their keys.",
        [
            Line(
                f"{SRC}/relay/publish_loop.py",
                "        for chunk in chunks(rows):\n",
                "        for chunk in chunks(rows[::-1]):\n",
            )
        ],
        "order per key",
        harm.RELAY_AWAY,
    ),
    Build(
        "parked-message-overtaken",
        "Messages of a key take effect although an earlier one of the key is parked.",
        [
            Line(
                f"{SRC}/consumer/receiver.py",
                "            if any(message.key in look.parked for message in new):\n",
                "            if False:\n",
            ),
        ],
        "order per key",
        harm.PROJECTION_REFUSES,
    ),
    Build(
        "acknowledged-before-commit",
        "A worker acknowledges messages before their effect is committed.",
        [
            Line(
                f"{SRC}/consumer/consumer.py",
                "            self.in_database(intake, partial(self.receiver.receive, run=run))\n"
                '            failpoints.reach("receive.before-ack")\n'
                "            intake.acknowledge(message.delivery for message in run)\n",
                "            intake.acknowledge(message.delivery for message in run)\n"
                "            for source in intake._sources.values():\n"
                "                source.acknowledge_handled()\n"
                "            self.in_database(intake, partial(self.receiver.receive, run=run))\n",
            )
        ],
        "effects",
        harm.WORKERS_KILLED_WHILE_POSTGRES_IS_FROZEN,
    ),
    Build(
        "outbox-in-another-transaction",
        "The messages of a unit of work are written in a transaction of their own, after its events.",
        [
            Line(
                f"{SRC}/store/flush.py",
                "        inserted = insert(connection, filled).rowcount\n",
                '        messages = filled.pop("messages", [])\n'
                "        inserted = insert(connection, filled).rowcount if filled else 1\n"
                "        if messages:\n"
                '            insert(connection, {"messages": messages})\n',
            )
        ],
        "effects",
        harm.OUTBOX_REFUSES,
    ),
    Build(
        "refused-taken-as-confirmed",
        "The relay takes a message that the broker refuses for one that it has stored.",
        [
            Line(
                f"{SRC}/relay/publisher.py",
                "settle = self._confirms.nacked if isinstance(frame.method, Basic.Nack) else self._confirms.acked",
                "settle = self._confirms.acked",
            )
        ],
        "effects",
        harm.QUEUE_FULL,
    ),
    Build(
        "fork-not-compared",
        "The hash of a message that came before is not compared with that of the one at hand.",
        [
            Line(
                f"{SRC}/inbox/forks.py",
                "    if recorded is None or recorded == message.message.event_hash:\n",
                "    if True:\n",
            )
        ],
        "parked",
        harm.FORKED_MESSAGE,
    ),
    Build(
        "hash-of-less",
        "The hash of an event does not cover who caused it.",
        [Line(f"{SRC}/store/hash_chain.py", "        cause.actor.encode(),\n", "")],
        "audit",
    ),
    Build(
        "request-not-compared",
        "The hash of a request is not compared with that of the one whose answer is stored under its key.",
        [
            Line(
                f"{SRC}/http/idempotency.py",
                "    if stored.request_hash != key.request_hash:\n",
                "    if False:\n",
            )
        ],
        "commands",
    ),
    Build(
        "answer-not-stored",
        "The answer to a command is not stored under its idempotency key.",
        [Line(f"{SRC}/http/idempotency.py", "        transaction.store_answer(key.stored_answer(answer))\n", "")],
        "commands",
    ),
    Build(
        "refund-left-out",
        "A captured payment counts as one of which nothing is to be refunded.",
        [
            Line(
                "payment_service/payment.py",
                '        return self.state in ("captured", "charged_late", "refund_requested")',
                '        return self.state in ("charged_late", "refund_requested")',
            )
        ],
        "money",
    ),
    Build(
        "charged-again",
        "Each attempt at a charge asks the card processor under a new idempotency key.",
        [
            Line(
                "payment_service/stripe_gateway.py",
                'return call({"idempotency_key": f"{name}:{number}"})',
                'return call({"idempotency_key": f"{name}:{number}:{datetime.now()}"})',
            )
        ],
        "money",
        harm.CHARGES_NOT_RECORDED,
    ),
    Build(
        "stock-not-released",
        "The reservation of a cancelled order is released, and the stock is not.",
        [Line("inventory_service/commands.py", '            undo(order_id, line["quantity"])\n', "")],
        "stock",
    ),
    Build(
        "oversold",
        "Stock is reserved whether or not there is enough.",
        [
            Line(
                "inventory_service/commands.py",
                '    return item if item is not None and item.available >= line["quantity"] else None',
                "    return item",
            ),
            Line(
                "inventory_service/stock.py",
                '        if quantity > self.available:\n            raise NotEnoughStock(f"{quantity} of',
                '        if False:\n            raise NotEnoughStock(f"{quantity} of',
            ),
        ],
        "stock",
    ),
    Build(
        "deadline-left-out",
        "An order is placed without the deadline at which it is cancelled.",
        [
            Line(
                "order_service/commands.py",
                "    transaction.set_deadline(Deadline(COMPLETION, order_id, deadline))\n",
                "",
            )
        ],
        "deadlines",
        harm.PAYMENTS_AWAY_FOR_LONG,
    ),
    Build(
        "view-folded-wrong",
        "A view of the read side counts what was returned to the shelf as released from it.",
        [
            Line(
                "projections/views/stock.py",
                "{is_one_of(RELEASED)} and not (body ->> 'returned')::boolean then",
                "{is_one_of(RELEASED)} then",
            )
        ],
        "read side",
    ),
)
