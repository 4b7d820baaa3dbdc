"""What `seed` promises: a group that is added later has what it would have, had it been there from the beginning."""

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from uuid import UUID

import pytest

from ordersaga.broker.change import QueueChange
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.provisioning import declare
from ordersaga.broker.side_exchanges import reachable
from ordersaga.envelope.message import PARTITIONS, Message
from ordersaga.seeding import seeding as library
from ordersaga.seeding import sender
from ordersaga.seeding.pausing import relays_paused
from ordersaga.seeding.progress import SeedingProgress, SeedingResult
from ordersaga.seeding.refusals import SeedingRefused
from tests.conftest import AnyServers
from tests.library.seeded import OPERATOR, Seeded, seeded
from tests.library.seeded_services import (
    ASKING,
    CAREFUL,
    EARLY,
    LATE,
    AnswerGiven,
    QuestionAsked,
    QuestionWithdrawn,
    answering,
    asking,
    early,
    late,
    services,
)
from tests.support.broker import TestBroker
from tests.support.databases import Databases
from tests.support.wait import until

UNREADABLE = """
insert into stored_events (originator_id, originator_version, topic, state, correlation_id, actor, hash)
values (gen_random_uuid(), 1, 'questions.renamed', '{}', gen_random_uuid(), 'somebody', '') returning 1
"""


@pytest.fixture
def shop(database: Databases, broker: TestBroker, servers: AnyServers) -> Iterator[Seeded]:
    with seeded(database, broker, servers.amqp_url("relay")) as shop:
        yield shop


def assert_causes_come_first(heard: Sequence[Message], known: Collection[UUID]) -> None:
    """Of messages that were known before the seeding; among newer ones the relays decide, which know no causes."""
    seen: set[UUID] = set()
    for message in heard:
        assert message.id not in known or message.contract == QuestionAsked.NAME or message.cause.causation_id in seen
        seen.add(message.id)


def assert_in_order(heard: list[Message], shop: Seeded) -> None:
    """Each thread has every question and every answer, each in order, when repeats are dropped."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for message in {message.id: message for message in heard}.values():
        numbers.setdefault((message.key, message.contract), []).append(json.loads(message.body)["number"])
    assert len(numbers) == 2 * len(shop.threads)
    assert all(found == list(range(1, shop.asked + 1)) for found in numbers.values())


def assert_late_equals_early(shop: Seeded, before: Sequence[Message] = ()) -> None:
    """Messages, and rows but for what the relays of two services decide; `before` is what the late group has had."""
    by_early, by_late = shop.heard_by(early), [*before, *shop.heard_by(late)]
    assert {message.id for message in by_late} == {message.id for message in by_early}
    assert_in_order(by_late, shop)
    heard = shop.react(late, by_late)
    assert heard == shop.react(early, by_early)
    assert {len(texts) for texts in heard.values()} == {2 * shop.asked}


def test_a_late_group_seeded_while_all_goes_on_equals_one_that_was_there_from_the_beginning(shop: Seeded) -> None:
    shop.ask(5)
    with shop.relays():
        with shop.traffic():
            result = shop.seeding().run()
            assert not shop.is_marked()
        shop.ask(2)
        shop.await_published()
    assert result.by_contract.keys() == {QuestionAsked.NAME, AnswerGiven.NAME}
    assert_late_equals_early(shop)


def test_history_comes_to_the_late_group_alone_in_causal_order_and_waits_for_its_workers(
    shop: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BATCH", 10)
    shop.ask(6)
    shop.grow_old()
    with shop.relays():
        shop.await_published()
    depths = [shop.broker.depth(queue) for queue in early.consumer_group(2).queue_names]
    waiting: list[int] = []
    progress = SeedingProgress(show=lambda progress: waiting.append(progress.ready))
    heard: list[Message] = []
    with ThreadPoolExecutor(1) as other:
        running = other.submit(shop.seeding(max_ready=20, progress=progress).run)
        until(lambda: any(waiting))
        assert max(waiting) <= 20 + 10
        for _ in until_done(running):
            heard += shop.heard_by(late)
        assert running.result().messages == sum(depths) == 48
    assert [shop.broker.depth(queue) for queue in early.consumer_group(2).queue_names] == depths
    heard += shop.heard_by(late)
    assert_causes_come_first(heard, {message.id for message in heard})
    assert_in_order(heard, shop)
    assert shop.databases[LATE].rows("select actor, reason, action from operator_actions order by position") == [
        (*OPERATOR, "begin seeding"),
        (*OPERATOR, "complete seeding"),
    ]


def until_done(running: "Future[SeedingResult]") -> Iterator[None]:
    """Yields ten times a second until it is done."""
    while not running.done():
        yield
        wait([running], timeout=0.1)


def check_killed(shop: Seeded, kills: Sequence[tuple[str, int]]) -> None:
    """Kill a seeding at each of these calls, one after the other, and complete it."""
    shop.ask(4)
    taken: list[Message] = []
    with shop.relays():
        for kill, call in kills:
            shop.kill_seeding(kill, call)
            shop.ask(2)
            taken += shop.heard_by(late)
        shop.seeding().run()
        assert not shop.is_marked()
        shop.ask(2)
        shop.await_published()
    assert_late_equals_early(shop, taken)


def test_killed_while_it_binds_it_is_completed_by_the_next_and_nobody_else_notices(shop: Seeded) -> None:
    check_killed(shop, [("queue_bind", 3 * PARTITIONS + 20)])


def test_a_bound_group_is_seeded_from_the_beginning_unless_it_has_received_something(
    shop: Seeded,
) -> None:
    """Its queues are emptied: what was in them comes again, behind what came before."""
    shop.ask(2)
    with shop.relays():
        shop.await_published()
        shop.broker.declare(late.consumer_group(2))
        shop.ask()
        shop.await_published()
        refused = pytest.raises(SeedingRefused, match="The relay of asking says: queue late")
        with shop.detached("late.0"), refused:
            shop.seeding().run()
        assert not shop.is_marked()
        shop.seeding().run()
        shop.ask()
        shop.await_published()
        assert_late_equals_early(shop)
        with pytest.raises(SeedingRefused, match="late has received 32 messages: older ones"):
            shop.seeding().run()
        assert not shop.is_marked()
        shop.ask()
        shop.await_published()
    assert len(shop.heard_by(late)) == 8


def test_a_seeding_waits_for_another_command_that_has_paused_the_relays(
    shop: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a second seeding has for its last window: the first would have had to begin again."""
    monkeypatch.setattr(library, "TICK_SECONDS", 0.05)
    other = ExitStack()
    steps: list[str] = []

    def show(progress: SeedingProgress) -> None:
        steps.append(progress.step)
        if progress.step == "bind" and steps.count("bind") == 1:
            other.enter_context(relays_paused([ASKING], shop.access.leads))
        elif steps.count("bind") == 3:
            other.close()

    shop.ask()
    shop.seeding(progress=SeedingProgress(show=show)).run()
    assert steps.count("bind") >= 3
    assert not shop.is_marked()


def test_while_a_group_is_being_seeded_nothing_else_reaches_it_and_every_command_says_so(shop: Seeded) -> None:
    shop.ask()
    environment = {**shop.environment, "GROUPS_TO_SEED": LATE}
    assert "late is to be seeded" in shop.command("topology", LATE, **environment).stderr
    groups = [service.group for service in services]
    assert reachable(shop.broker.url, "test", groups, QuestionAsked.NAME) == {EARLY}
    assert declare(shop.broker.url, {LATE: late.consumer_group}, None) == ([], [LATE])
    with shop.relays():
        shop.await_published()
    assert shop.heard_by(late) == []
    change = QueueChange([late.consumer_group(4)], shop.broker.url, {}, {}, 1, print)
    with pytest.raises(ChangeFailed, match="late is being seeded"):
        change.run()
    shown = shop.command("queues", "show", "--group", LATE)
    assert "is to be seeded, or is being seeded: `ordersaga seed late`" in shown.stdout
    assert "late is to be seeded, is being seeded" in shop.command("topology", LATE).stderr
    shop.interrupt_seeding()
    assert len(shop.heard_by(late)) == 8
    shop.seeding().run()
    assert reachable(shop.broker.url, "test", groups, QuestionAsked.NAME) == {EARLY, LATE}


def test_the_command_counts_refuses_names_what_is_wrong_and_seeds(shop: Seeded) -> None:
    shop.ask()
    withdrawn = QuestionWithdrawn(thread_id=shop.threads[0], number=7)
    shop.asking.decide(lambda transaction: transaction.announce(withdrawn))
    counted = json.loads(shop.command("seed", LATE, "--dry-run", "--json").stdout)
    by_contract = {QuestionAsked.NAME: 4, QuestionWithdrawn.NAME: 1, AnswerGiven.NAME: 4}
    assert (counted["dry_run"], counted["messages"], counted["by_contract"]) == (True, 9, by_contract)
    assert "would get 0 messages" in shop.command("seed", LATE, "--dry-run", "--since", "2100-01-01").stdout
    assert shop.command("seed", LATE).exit_code == 2
    unknown = shop.command("topology", **{**shop.environment, "GROUPS_TO_SEED": "nobody"})
    assert (unknown.exit_code, "nobody, which no service has as its group" in unknown.stderr) == (2, True)
    refused = shop.command("seed", CAREFUL, "--reason", "new")
    assert (refused.exit_code, "calls mail server for asking.question_asked.v1" in refused.stderr) == (1, True)
    shop.databases[ASKING].rows(UNREADABLE)
    stopped = shop.command("seed", LATE, "--reason", "new")
    assert stopped.exit_code == 1
    assert "questions.renamed, version 1 of " in stopped.stderr
    done = shop.command("seed", LATE, "--reason", "new", "--skip-unreadable", "--json")
    assert done.exit_code == 1
    assert {message.contract for message in shop.heard_by(late)} == {*by_contract}
    assert len(json.loads(done.stdout)["unreadable"]) == 1


def test_reconcile_expects_of_a_late_group_what_it_was_to_receive(shop: Seeded) -> None:
    """Nothing of before it was added unless it is seeded, then everything."""
    late_only = [asking, answering, late]
    shop.ask()
    shop.databases[LATE].rows("update group_history set received_from = clock_timestamp() returning 1")
    assert shop.missing(late_only) == 0
    shop.ask()
    assert shop.missing(late_only) == 8
    shop.interrupt_seeding()
    assert shop.missing(late_only) == 0
    shop.seeding().run()
    assert shop.missing(late_only) == 16
    shop.react(late, shop.heard_by(late))
    assert shop.missing(late_only) == 0
