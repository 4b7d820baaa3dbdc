"""Two services that announce, one because of the other, and three groups: early, late, and one that sends mail."""

from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from ordersaga.envelope.contract import Contract
from ordersaga.inbox.reactions import Reactions
from ordersaga.service import Service
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction
from tests.support.counting import GROUP
from tests.support.databases import SCHEMAS

ASKING, ANSWERING, EARLY, LATE, CAREFUL = "asking", "answering", "early", "late", "careful"


class QuestionAsked(Contract):
    """The first service announces it."""

    NAME: ClassVar[str] = "asking.question_asked.v1"
    SOURCE: ClassVar[str] = ASKING
    KEY: ClassVar[str] = "thread_id"
    thread_id: UUID
    number: int


class QuestionClosed(QuestionAsked):
    """No group receives it."""

    NAME: ClassVar[str] = "asking.question_closed.v1"


class QuestionWithdrawn(QuestionAsked):
    """It is announced without an event."""

    NAME: ClassVar[str] = "asking.question_withdrawn.v1"


class AnswerGiven(QuestionAsked):
    """The second service announces it because of a question."""

    NAME: ClassVar[str] = "answering.answer_given.v1"
    SOURCE: ClassVar[str] = ANSWERING


class Numbers(BaseAggregate[UUID]):
    """Numbers of one thread, in order."""

    class Event(AggregateEvent):
        """Something that happened in a thread."""

    def __init__(self, id: UUID) -> None:
        self._id = id
        self.numbers: list[str] = []


class Questions(Numbers):
    TOPIC = "questions"

    class Opened(Numbers.Event, AggregateCreated):
        TOPIC = "questions.opened"

    class Asked(Numbers.Event):
        TOPIC = "questions.asked"
        number: int

    class Closed(Numbers.Event):
        TOPIC = "questions.closed"
        number: int

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        super().__init__(id)

    @event(Asked)
    def ask(self, number: int) -> None:
        self.numbers.append(f"asked {number}")

    @event(Closed)
    def close(self, number: int) -> None:
        self.numbers.append(f"closed {number}")


class Answers(Numbers):
    TOPIC = "answers"

    class Opened(Numbers.Event, AggregateCreated):
        TOPIC = "answers.opened"

    class Given(Numbers.Event):
        TOPIC = "answers.given"
        number: int

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        super().__init__(id)

    @event(Given)
    def give(self, number: int) -> None:
        self.numbers.append(f"given {number}")


class Thread(Numbers):
    """What a group has heard of a thread."""

    TOPIC = "heard"

    class Opened(Numbers.Event, AggregateCreated):
        TOPIC = "heard.opened"

    class Heard(Numbers.Event):
        TOPIC = "heard.heard"
        text: str

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        super().__init__(id)

    @event(Heard)
    def hear(self, text: str) -> None:
        self.numbers.append(text)


asking_announcements, answering_announcements = Announcements(ASKING), Announcements(ANSWERING)
asking_announcements.without_event(QuestionWithdrawn)
answering_reactions, hearing = Reactions(), Reactions()


@asking_announcements.of(Questions.Asked)
def announce_asked(asked: Questions.Asked) -> QuestionAsked:
    return QuestionAsked(thread_id=asked.originator_id, number=asked.number)


@asking_announcements.of(Questions.Closed)
def announce_closed(closed: Questions.Closed) -> QuestionClosed:
    return QuestionClosed(thread_id=closed.originator_id, number=closed.number)


@answering_announcements.of(Answers.Given)
def announce_given(given: Answers.Given) -> AnswerGiven:
    return AnswerGiven(thread_id=uuid_of(given.originator_id), number=given.number)


@answering_reactions.to(QuestionAsked)
def when_asked_answer(message: QuestionAsked, transaction: Transaction) -> None:
    id_ = uuid_of(message.thread_id)
    found = transaction.find(Answers, id_) or Answers(id=id_)
    found.give(message.number)
    transaction.save(found)


def uuid_of(id_: UUID) -> UUID:
    """Of the answers of a thread, and of the thread of answers."""
    return UUID(int=id_.int ^ 1)


def hear(message: QuestionAsked, transaction: Transaction) -> None:
    thread = transaction.find(Thread, message.thread_id) or Thread(id=message.thread_id)
    thread.hear(f"{message.NAME} {message.number}")
    transaction.save(thread)


def mail(message: QuestionAsked, transaction: Transaction, resources: Any) -> None:
    """An outside step."""


def when_asked_mail(message: QuestionAsked, transaction: Transaction, answer: Any) -> None:
    """Nothing is recorded."""


mailing = Reactions()
mailing.to(QuestionAsked, outside=mail, resource="mail server")(when_asked_mail)
hearing.to(QuestionAsked)(hear)
hearing.to(QuestionWithdrawn)(hear)
hearing.to(AnswerGiven)(hear)

asking = Service(ASKING, asking_announcements, role=GROUP)
answering = Service(ANSWERING, answering_announcements, answering_reactions, role=GROUP)
early = Service(EARLY, reactions=hearing, role=GROUP)
late = Service(LATE, reactions=hearing, role=GROUP)
careful = Service(CAREFUL, reactions=mailing, role=GROUP)
services = [asking, answering, early, late, careful]
"""The application, for `ordersaga --app tests.library.seeded_services`."""
SCHEMAS.update({service.name: service.schema for service in services})


def ask(transaction: Transaction, thread: UUID, number: int) -> None:
    found = transaction.find(Questions, thread) or Questions(id=thread)
    found.ask(number)
    found.close(number)
    transaction.save(found)
