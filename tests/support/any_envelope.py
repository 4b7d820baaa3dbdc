"""Envelopes and bodies as anybody may send them: a sound one, of which some parts are replaced by anything."""

import random
import string
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ordersaga.envelope.message import Cause, Message, UnreadableMessage, to_headers
from tests.support.envelopes import from_headers

SOUND = Message(
    UUID(int=7),
    "test.counted.v1",
    "test",
    "00000000-0000-0000-0000-000000000001",
    1,
    datetime(2026, 11, 27, 12, 0, 0, 5, tzinfo=UTC),
    bytes(range(32)),
    Cause(UUID(int=8), UUID(int=9), "ada", f"00-{'a' * 32}-{'b' * 16}-01", "a=1"),
    '{"counter_id":"00000000-0000-0000-0000-000000000001","number":1}',
)

SOUND_HEADERS = to_headers(SOUND)
NAMES = [*SOUND_HEADERS, "x-death", "other", ""]
TEXTS = [
    "",
    "\0",
    "\ud800",
    "a\ud83d",
    "🙂" * 100,
    "é" * 256,
    "é" * 257,
    "k" * 100_000,
    "-1",
    "0",
    "1_000",
    "\uff11",
    "9223372036854775807",
    "9223372036854775808",
    "1e5",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2000-01-01T00:00:00+23:59",
    "2199-12-31T23:59:59.999999+00:00",
    "2026-11-27T12:00:00",
    "2026-W48-5T12:00:00Z",
    "2026-11-27",
    "ab " * 32,
    "AB" * 32,
    "0" * 63,
    "{00000000-0000-0000-0000-000000000007}",
    "urn:uuid:00000000-0000-0000-0000-000000000007",
    "a.b.v1",
    "a.#.v1",
    "*.*.*",
    "a.b.c.v1",
    f"00-{'0' * 32}-{'b' * 16}-01",
    f"ff-{'a' * 32}-{'b' * 16}-01",
    f"01-{'a' * 32}-{'b' * 16}-01-more",
    "a=1,b=2,,c",
    "%s%n{}",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    1.5,
    float("nan"),
    b"",
    b"\xff\xfe",
    [],
    {},
    [[["a"]]],
    {"a": {"b": b"c"}},
]
VALUES += [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)]
ATOMS = [
    "1",
    "-0",
    "1.5e300",
    "1e400",
    "1e-400",
    "1e-99999",
    "0.1",
    "0e99999",
    "-9223372036854775807",
    "9223372036854775808",
    "1" * 5000,
    "0." + "1" * 300,
    "0." + "1" * 20_000,
    "01",
    "NaN",
    "-Infinity",
    "true",
    "null",
    "nul",
    '""',
    '"a"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\ud83d\\ude42"',
    '"\\ude42\\ud83d"',
    '"\\\\u0000"',
    '"\x00"',
    '"\x7f\x80"',
    '"unended',
    '"🙂"',
    "{",
    "]",
    "",
]


def any_text(chance: random.Random) -> str:
    if chance.random() < 0.6:
        return chance.choice(TEXTS)
    alphabet = chance.choice([string.printable, string.digits, string.hexdigits, "\0é🙂\ud800 -.:+TZ", "a.v1"])
    return "".join(chance.choices(alphabet, k=chance.randrange(40)))


def changed(chance: random.Random, text: str) -> str:
    """The text with one place changed, cut or repeated."""
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(["", "\0", "0", "f", "-", " ", text[at:] * 2, "é"]) + text[at + 1 :]


def any_value(chance: random.Random, name: str) -> Any:
    what = chance.random()
    if what < 0.2:
        return chance.choice(VALUES)
    if what < 0.6 and name in SOUND_HEADERS:
        return changed(chance, SOUND_HEADERS[name])
    return any_text(chance)


def any_json(chance: random.Random, depth: int = 0) -> str:
    what = chance.random()
    if depth > 4 or what < 0.5:
        return chance.choice(ATOMS)
    inner = [any_json(chance, depth + 1) for _ in range(chance.randrange(3))]
    if what < 0.7:
        return f"[{','.join(inner)}]"
    return "{" + ",".join(f'"{chance.choice("aab")}":{value}' for value in inner) + "}"


def nested(chance: random.Random) -> str:
    depth = chance.choice([62, 63, 64, 65, 200, 5000])
    opened, closed = chance.choice([("[", "]"), ('{"a":', "}")])
    return '{"a":' + opened * depth + "1" + closed * depth + "}"


def any_body(chance: random.Random) -> bytes:
    kinds: list[Callable[[], bytes]] = [
        lambda: SOUND.body.encode(),
        lambda: ('{"a":' + any_json(chance) + "}").encode(errors="surrogatepass"),
        lambda: any_json(chance).encode(errors="surrogatepass"),
        lambda: changed(chance, SOUND.body).encode(),
        lambda: chance.randbytes(chance.randrange(30)),
        lambda: b"\xef\xbb\xbf{}",
        lambda: nested(chance).encode(),
    ]
    return chance.choices(kinds, weights=[40, 30, 5, 15, 5, 1, 1])[0]()


def read_all(seed: int, number: int) -> tuple[list[Message], set[str]]:
    """The messages among so many envelopes, each of which comes back as it was read, and why the others are refused."""
    accepted, reasons = [], set()
    for headers, body in any_envelopes(seed, number):
        try:
            message = from_headers(headers, body)
        except UnreadableMessage as refused:
            reasons.add(str(refused)[:40])
            continue
        accepted.append(message)
        assert from_headers(to_headers(message), message.body.encode()) == message
    return accepted, reasons


def any_envelopes(seed: int, number: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """So many headers with their bodies; the same for the same seed. About one in four can be read."""
    chance = random.Random(seed)
    for _ in range(number):
        headers: dict[str, Any] = dict(SOUND_HEADERS)
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            name = chance.choice(NAMES)
            if chance.random() < 0.1:
                headers.pop(name, None)
            else:
                headers[name] = any_value(chance, name)
        if chance.random() < 0.5:
            headers["ce-partitionkey"] = headers.get("ce-subject", "")
        yield headers, any_body(chance)
