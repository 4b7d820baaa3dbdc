"""BatchConnection: a pika connection that writes many messages at once; and the text of a connection error."""

import pika
from pika.exceptions import AMQPError
from pika.spec import FRAME_END_SIZE, FRAME_HEADER_SIZE


class BatchConnection(pika.SelectConnection):  # type: ignore[misc]
    """Writes many messages at once: `basic_publish` calls `send` for each of the three frames of a message.

    A relay takes 60 microseconds of CPU a message with `basic_publish`, 44 with the same frames in one write.
    `_output_marshaled_frames` is private to pika 1; pyproject.toml excludes pika 2.
    """

    @property
    def max_body_bytes(self) -> int:
        """Bytes of a body that fit into one frame."""
        size: int = self.params.frame_max - FRAME_HEADER_SIZE - FRAME_END_SIZE
        return size

    def write(self, frames: bytes) -> None:
        """Write frames to the socket in one piece."""
        self._output_marshaled_frames([frames])


def reason_of(error: BaseException) -> str:
    """The innermost of pika's nested errors, in words."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    inner = getattr(error, "exceptions", None) or [getattr(error, "exception", None)]
    if isinstance(inner[-1], BaseException):
        return reason_of(inner[-1])
    if isinstance(error, AMQPError):
        return ": ".join(str(part) for part in error.args) or type(error).__name__
    return str(error) or type(error).__name__
