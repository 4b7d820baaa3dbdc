"""Incoming: the bytes of one request as they arrive, and whether the request is complete."""

import time
from dataclasses import dataclass, field

from ordersaga.http.bodies import MAX_BODY_BYTES

MAX_HEAD_BYTES = 32 * 1024
"""Request line and headers."""
MAX_FRAMED_BYTES = 8 * MAX_BODY_BYTES
"""A chunked body with the frames of its chunks."""
MAX_CHUNK_LINE = 1024
ENOUGH_OF_CHUNKS = MAX_BODY_BYTES + 1024
"""Bytes of chunks that show a body as too large: gunicorn gives the app no byte beyond the limit with fewer, because it
takes them by 1,024 out of their chunks."""
END_OF_LINE = b"\r\n"
END_OF_HEAD = b"\r\n\r\n"


@dataclass(eq=False, slots=True)
class Incoming:
    """Finds the end of a request; gunicorn's parser, which gets the same bytes, decides whether the request is valid.

    What this class cannot frame counts as arrived: the parser refuses it, and never reads from the socket.
    """

    idle_seconds: float
    """How long the client may take to begin."""
    seconds: float
    """How long the whole request may take from its first byte, however steadily it arrives."""
    data: bytearray = field(default_factory=bytearray)
    has_arrived: bool = False
    """Whether nothing more is awaited."""
    is_whole: bool = False
    """Whether the request has an end in `data`; without one, the connection cannot serve another request."""
    head_is_too_large: bool = False
    expects_continue: bool = False
    """Whether the client waits for `100 Continue` before it sends the body."""
    deadline: float = 0.0
    _body_at: int = 0
    _searched: int = 0
    _length: int | None = None
    _decoded: int = 0

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.idle_seconds

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        if not self.data:
            self.deadline = time.monotonic() + self.seconds
        self.data += data
        if not self._body_at:
            self._find_head()
        if self._body_at and not self.has_arrived:
            self._find_end()

    @property
    def path(self) -> bytes:
        """The path of the request line, without the query."""
        target = self.data.split(END_OF_LINE, 1)[0].split(b" ")[1:2]
        return bytes(target[0].split(b"?", 1)[0]) if target else b""

    def _find_head(self) -> None:
        end = self.data.find(END_OF_HEAD, max(0, self._searched - len(END_OF_HEAD)))
        self._searched = len(self.data)
        if end < 0:
            self.head_is_too_large = len(self.data) > MAX_HEAD_BYTES
            return
        self._body_at = self._searched = end + len(END_OF_HEAD)
        self._read_framing(bytes(self.data[:end]))

    def _read_framing(self, head: bytes) -> None:
        fields = [line.partition(b":") for line in head.split(END_OF_LINE)[1:]]
        named = {name.lower(): value.strip().lower() for name, _, value in fields}
        self.expects_continue = named.get(b"expect") == b"100-continue"
        if b"transfer-encoding" in named:
            self.has_arrived = named[b"transfer-encoding"] != b"chunked"
            return
        length = named.get(b"content-length", b"0")
        self._length = int(length) if length.isdigit() and len(length) < 20 else MAX_BODY_BYTES + 1

    def _find_end(self) -> None:
        if self._length is None:
            self._find_end_of_chunks()
        elif self._length > MAX_BODY_BYTES:
            # The app refuses it by its length, without reading it.
            self.has_arrived = True
        else:
            self.has_arrived = self.is_whole = len(self.data) >= self._body_at + self._length

    def _find_end_of_chunks(self) -> None:
        """Follow the chunks from the first one that has not arrived; `_searched` is its place."""
        while not self.has_arrived:
            line_end = self.data.find(END_OF_LINE, self._searched)
            if line_end < 0:
                self.has_arrived = len(self.data) - self._searched > MAX_CHUNK_LINE
                break
            size = size_of(bytes(self.data[self._searched : line_end]))
            if not size:
                self._find_end_of_trailers(line_end, is_valid=size == 0)
                break
            next_chunk = line_end + len(END_OF_LINE) + size + len(END_OF_LINE)
            if len(self.data) < next_chunk:
                arrived = len(self.data) - line_end - len(END_OF_LINE)
                self.has_arrived = self._decoded + min(arrived, size) >= ENOUGH_OF_CHUNKS
                break
            self._searched, self._decoded = next_chunk, self._decoded + size
            self.has_arrived = self._decoded >= ENOUGH_OF_CHUNKS
        self.has_arrived |= len(self.data) - self._body_at > MAX_FRAMED_BYTES

    def _find_end_of_trailers(self, line_end: int, is_valid: bool) -> None:
        self.is_whole = is_valid and self.data.find(END_OF_HEAD, line_end) >= 0
        self.has_arrived = self.is_whole or not is_valid


def size_of(line: bytes) -> int | None:
    """The size of a chunk; None when the line has none."""
    digits = line.split(b";", 1)[0].strip()
    try:
        return int(digits, 16) if len(digits) <= 16 and digits.isalnum() else None
    except ValueError:
        return None
