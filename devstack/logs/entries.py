"""One entry of a log: a line with its time and level, and the lines below that belong to it."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warning", "error", "critical")
OTHER_WORDS = {"log": "info", "notice": "info", "warn": "warning", "fatal": "critical", "panic": "critical"}
"""Words of Postgres and RabbitMQ for these levels."""

TIMED = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?P<zone>Z|[+-]\d\d:?\d\d| UTC| GMT)?\s(?P<rest>.*)"
)
IN_BRACKETS = re.compile(r"\[(?P<level>[a-z]+) *\] ")
OF_POSTGRES = re.compile(r"\[\d+\] .*?(?P<level>[A-Z]+)\d?:  ")
BELOW_ANOTHER = ("DETAIL", "HINT", "CONTEXT", "STATEMENT", "QUERY")
"""What Postgres writes, with a time, about the line before."""


@dataclass(frozen=True)
class Entry:
    """`text` has no newline at its end; `time` is None where the process writes none."""

    process: str
    time: datetime | None
    level: str
    text: str

    def is_at_least(self, level: str) -> bool:
        return LEVELS.index(self.level) >= LEVELS.index(level)

    def as_json(self) -> str:
        time = self.time.isoformat() if self.time else None
        return json.dumps({"process": self.process, "time": time, "level": self.level, "text": self.text})


def entry_of(process: str, lines: Sequence[str]) -> Entry:
    """The entry whose first line is the first of these."""
    time, level = head(lines[0]) or (None, "info")
    return Entry(process, time, level, "\n".join(lines))


def head(line: str) -> tuple[datetime, str] | None:
    """Time and level of a line that begins an entry; None for a line that belongs to the one above."""
    if line.startswith("{"):
        return head_in_json(line)
    timed = TIMED.match(line)
    if not timed:
        return None
    word = level_word(timed["rest"])
    return None if word in BELOW_ANOTHER else (moment(timed["time"], timed["zone"]), level_of(word))


def head_in_json(line: str) -> tuple[datetime, str] | None:
    """Of a line of LOG_FORMAT=json."""
    try:
        found = json.loads(line)
        return datetime.fromisoformat(found["timestamp"]), level_of(found.get("level", ""))
    except (ValueError, KeyError, TypeError):
        return None


def moment(time: str, zone: str | None) -> datetime:
    """Without a zone it is UTC."""
    found = datetime.fromisoformat(time + (zone or "").rstrip(" UTCGM"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def level_word(rest: str) -> str:
    found = IN_BRACKETS.match(rest) or OF_POSTGRES.match(rest)
    return found["level"] if found else ""


def level_of(word: str) -> str:
    """The level that a word means; info where it means none."""
    small = word.lower()
    return small if small in LEVELS else OTHER_WORDS.get(small, "info")


def entries(process: str, lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of lines in order. Lines before the first that has a time are entries of their own."""
    together: list[str] = []
    for line in lines:
        if together and (head(line) or not head(together[0])):
            yield entry_of(process, together)
            together = []
        together.append(line)
    if together:
        yield entry_of(process, together)


def entries_backwards(process: str, lines: Iterable[str]) -> Iterator[Entry]:
    """The same entries from the last to the first, of lines that come from the last to the first."""
    below: list[str] = []
    for line in lines:
        if head(line):
            yield entry_of(process, [line, *reversed(below)])
            below = []
        else:
            below.append(line)
    for line in below:
        yield entry_of(process, [line])
