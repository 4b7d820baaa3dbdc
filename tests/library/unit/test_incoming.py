"""What counts as an arrived request is enough for gunicorn and the app to answer it, wherever the network cut it."""

from types import SimpleNamespace

import pytest
from gunicorn.http.body import Body, ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]
from werkzeug.wsgi import LimitedStream

from ordersaga.http.bodies import MAX_BODY_BYTES, StrictRequest
from ordersaga.http.incoming import Incoming

HEAD = b"POST /orders HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n"


def framed(size: int, of_each_chunk: int) -> bytes:
    """A body of so many bytes in chunks."""
    chunk, rest = b"%x\r\n%s\r\n" % (of_each_chunk, b"x" * of_each_chunk), size % of_each_chunk
    return chunk * (size // of_each_chunk) + b"%x\r\n%s\r\n" % (rest, b"x" * rest) + b"0\r\n\r\n"


@pytest.mark.parametrize("of_each_chunk", [1000, 1024, 8000, 69_000])
def test_a_chunked_body_that_is_too_large_is_seen_as_such_wherever_it_is_cut(of_each_chunk: int) -> None:
    body, arrived = framed(70_000, of_each_chunk), 0
    for cut in range(MAX_BODY_BYTES, len(body), 3):
        incoming = Incoming(5, 5)
        incoming.feed(HEAD + body[:cut])
        if incoming.has_arrived:
            arrived += 1
            reader = Body(ChunkedReader(SimpleNamespace(), IterUnreader([body[:cut]])))
            assert StrictRequest.max_content_length == MAX_BODY_BYTES + 1
            assert len(LimitedStream(reader, MAX_BODY_BYTES + 1, is_max=True).read()) > MAX_BODY_BYTES
    assert arrived > 1000
