"""A connection of pika's that writes many messages at once, and the reason for its end in words."""

import pika
from pika.exceptions import AMQPError
from pika.spec import FRAME_END_SIZE, FRAME_HEADER_SIZE


class Connection(pika.SelectConnection):  # type: ignore[misc]
    """Takes whole messages as bytes: `basic_publish` calls `send` for each of their three frames."""

    @property
    def largest_body(self) -> int:
        """Bytes of a body that fit into one frame."""
        size: int = self.params.frame_max - FRAME_HEADER_SIZE - FRAME_END_SIZE
        return size

    def write(self, frames: bytes) -> None:
        """Hand frames to the socket in one piece."""
        self._output_marshaled_frames([frames])


def reason_of(error: BaseException) -> str:
    """The innermost of the errors that pika wraps into one another, in words."""
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    inner = getattr(error, "exceptions", None) or [getattr(error, "exception", None)]
    if isinstance(inner[-1], BaseException):
        return reason_of(inner[-1])
    if isinstance(error, AMQPError):
        return ": ".join(str(part) for part in error.args) or type(error).__name__
    return str(error) or type(error).__name__
