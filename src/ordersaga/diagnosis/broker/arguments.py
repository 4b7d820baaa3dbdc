"""Which queues have other arguments than this version declares?"""

from pika.exceptions import ChannelClosedByBroker

from ordersaga.broker.topology import PRECONDITION_FAILED, Group, declare_queue
from ordersaga.diagnosis.broker.asked import PLACE, AskedBroker
from ordersaga.diagnosis.broker.queues import is_final
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers


def arguments(asked: AskedBroker) -> Answers:
    """Queues that are no quorum queues, that have no delivery limit, and so on."""
    for status in filter(is_final, asked.answered.groups):
        service = next(each for each in asked.services if each.group == status.group)
        for queue in status.queues:
            yield from compare(asked, service.consumer_group(len(status.queues)), queue.name)


def compare(asked: AskedBroker, group: Group, name: str) -> Answers:
    """Declare an existing queue again: the broker compares its arguments and changes nothing."""
    channel = asked.connection.channel()
    try:
        declare_queue(channel, group, name)
    except ChannelClosedByBroker as error:
        if error.reply_code != PRECONDITION_FAILED:
            raise
        yield DiagnosisFinding(
            "warning",
            "other arguments",
            PLACE,
            f"the queue {name} was declared with other arguments: {error.reply_text}",
            "once the queue is empty: ordersaga pause, delete the queue, ordersaga topology, ordersaga resume",
        )
    else:
        channel.close()
