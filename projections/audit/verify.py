"""Judges the records of the stores: chains, leaves, roots and signatures; names all that does not fit."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from projections.audit.checkpoint import Checkpoint
from projections.audit.findings import Finding
from projections.audit.leaf import Leaf, iso, microseconds
from projections.audit.merkle import Frontier, leaf_hash
from projections.audit.note import BadNote, VerifierKey
from projections.audit.records import BadExport, Begins, Ends, Record, Sealed, Signed, Stores, Unsealed
from projections.audit.store import Event
from projections.audit.streams import Head, Streams

PATIENCE = timedelta(minutes=1)
"""How long an event may be unsealed."""
LONGEST_TRANSACTION = timedelta(minutes=5)
"""An event has the time at which its transaction began, and is sealed after its commit."""
STEP = 1000

Report = Callable[[Finding], None]


@dataclass
class Totals:
    """What was looked at of one store."""

    store: str
    events: int = 0
    sealed: int = 0
    checkpoints: int = 0
    findings: int = 0
    since: datetime | None = None
    """When the first checkpoint was signed."""
    until: datetime | None = None
    """When the last good one was: events up to then are proven."""


@dataclass
class Kept:
    """Checkpoints that somebody has kept elsewhere, by store and size."""

    checkpoints: dict[tuple[str, int], Checkpoint] = field(default_factory=dict)

    @classmethod
    def of(cls, notes: Iterable[str], key: VerifierKey) -> "Kept":
        """Raises BadNote."""
        opened = [Checkpoint.opened(note, key) for note in notes]
        return cls({(checkpoint.store, checkpoint.size): checkpoint for checkpoint in opened})


def verify(
    records: Iterable[Record],
    key: VerifierKey,
    report: Report,
    *,
    kept: Kept | None = None,
    patience: timedelta = PATIENCE,
    progress: Callable[[Totals], None] = lambda totals: None,
) -> list[Totals]:
    """Of each store in the records; `report` is called with each finding as it is made.

    Raises BadExport.
    """
    kept = kept or Kept()
    totals: list[Totals] = []
    check: StoreCheck | None = None
    stores: tuple[str, ...] | None = None
    for record in records:
        if check and isinstance(record, Begins | Stores):
            check.cut_off()
            check = None
        match record:
            case Begins():
                check = StoreCheck(record, key, report, kept, patience)
                totals.append(check.totals)
            case Stores():
                stores = record.names
            case _ if check is None:
                raise BadExport("there is a record before the store that it is of")
            case Ends():
                check.end(record)
                progress(check.totals)
                check = None
            case _:
                check.take(record)
                if check.totals.events % STEP == 0:
                    progress(check.totals)
    if check:
        check.cut_off()
    elif totals and stores is None:
        totals[-1].findings += 1
        report(Finding("cut log", totals[-1].store, "the export stops behind this store: others may be missing"))
    begun = {each.store for each in totals}
    for store in sorted({*(stores or ()), *(name for name, _ in kept.checkpoints)} - begun):
        totals.append(Totals(store, findings=1))
        report(Finding("cut log", store, "nothing of this store is there"))
    return totals


class StoreCheck:
    """The judgement of one store, record by record."""

    def __init__(self, begins: Begins, key: VerifierKey, report: Report, kept: Kept, patience: timedelta) -> None:
        self.totals = Totals(begins.store)
        self._begins = begins
        self._key = key
        self._tell = report
        self._kept = {size: each for (store, size), each in kept.checkpoints.items() if store == begins.store}
        self._patience = patience
        self._frontier = Frontier()
        self._streams = Streams()
        self._last: Checkpoint | None = None
        self._broken = False
        """A root did not fit: neither will those of the checkpoints behind it."""
        self._compare_kept()

    def take(self, record: Sealed | Signed | Unsealed) -> None:
        match record:
            case Sealed():
                self._take_leaf(record.line, record.event)
            case Signed():
                self._take_checkpoint(record.note)
            case Unsealed():
                self._take_unsealed(record.event)

    def end(self, ends: Ends) -> None:
        with closing(self._streams):
            for leaf, present in self._streams.missed():
                kind = "truncated" if 0 < present < leaf.version else "deleted"
                self._report_leaf(kind, leaf, "it was sealed, and is gone")
            for size, checkpoint in sorted(self._kept.items()):
                self._report("cut log", f"{size} leaves were signed on {checkpoint.time}, and are not all there")
            if not self.totals.checkpoints:
                self._report("unsealed", "there is no checkpoint: nothing proves what this store held")
            if ends.events != self.totals.events:
                self._report("cut log", f"{ends.events} events were exported, and {self.totals.events} are there")

    def cut_off(self) -> None:
        """The records stopped before their end."""
        self._report("cut log", "the export stops before its end")
        self.end(Ends(self.totals.store, self.totals.events))

    def _take_leaf(self, line: bytes, event: Event | None) -> None:
        self._frontier.append(leaf_hash(line))
        self.totals.sealed += 1
        self.totals.events += event is not None
        self._compare_kept()
        if event and event.leaf.line() == line:
            leaf = event.leaf
        else:
            try:
                leaf = Leaf.parse(line)
            except ValueError as error:
                return self._report("altered log", f"leaf {self.totals.sealed - 1} is not a leaf: {error}")
        self._judge(leaf, event)
        return None

    def _judge(self, leaf: Leaf, event: Event | None) -> None:
        head = self._streams.head(leaf.originator_id)
        if leaf.version != head.version + 1:
            gap = leaf.version > head.version
            kind, what = ("deleted", "came without") if gap else ("inserted", "was sealed when there was already")
            self._report_leaf(kind, leaf, f"it {what} version {leaf.version - 1 if gap else head.version}")
        if event is None:
            self._streams.miss(leaf)
        else:
            self._compare(leaf, event, head if leaf.version == head.version + 1 else None)
        self._check_time(leaf)
        present = leaf.version if event else head.present
        self._streams.put(leaf.originator_id, Head(leaf.version, leaf.hash, present))

    def _compare(self, leaf: Leaf, event: Event, head: Head | None) -> None:
        """The event against what was sealed of it, and its content against the sealed hash of the event before."""
        if event.position != leaf.position:
            self._report_leaf("reordered", leaf, f"it now stands at position {event.position}")
        if event.recorded_at != leaf.recorded_at:
            times = f"{iso(leaf.recorded_at)} was sealed, {iso(event.recorded_at)} is there"
            self._report_leaf("re-stamped", leaf, times)
        if event.xid != leaf.xid and leaf.xid is not None:
            self._report_leaf("edited", leaf, f"its transaction was {leaf.xid}, and {event.xid} is there")
        genuine = head is None or event.hash_after(head.hash) == leaf.hash
        if not genuine and event.hash == leaf.hash:
            self._report_leaf("edited", leaf, "its content does not give its hash, which is the one that was sealed")
        elif not genuine:
            self._report_leaf("edited", leaf, "its content is not what was sealed, and its hash was made anew")
        elif (event.hash, event.topic) != (leaf.hash, leaf.topic):
            self._report_leaf("edited", leaf, "its content is what was sealed, its hash is not")

    def _check_time(self, leaf: Leaf) -> None:
        """Sealed behind a checkpoint, it was committed after that; so it cannot have begun long before."""
        last = self._last
        if last and last.size and leaf.recorded_at < microseconds(last.time - LONGEST_TRANSACTION):
            was_not_there = f"its time is {iso(leaf.recorded_at)}, and it was not there when {last.time} was signed"
            self._report_leaf("inserted", leaf, was_not_there)

    def _take_checkpoint(self, note: str) -> None:
        self.totals.checkpoints += 1
        try:
            checkpoint = Checkpoint.opened(note, self._key)
        except BadNote as error:
            return self._report("bad signature", f"checkpoint {self.totals.checkpoints} is not good: {error}")
        if checkpoint.store != self.totals.store:
            return self._report("altered log", f"a checkpoint of {checkpoint.store} stands among its checkpoints")
        if checkpoint.size > self._frontier.size:
            missing = f"{checkpoint.size} leaves were signed on {checkpoint.time}, and {self._frontier.size} are there"
            return self._report("cut log", missing)
        if checkpoint.size < self._frontier.size:
            return self._report("altered log", f"the checkpoint of {checkpoint.time} is not in its place")
        self._settle(checkpoint)
        return None

    def _settle(self, checkpoint: Checkpoint) -> None:
        if checkpoint.root == self._frontier.root():
            self.totals.since = self.totals.since or checkpoint.time
            self._last = checkpoint
            self.totals.until = checkpoint.time
        elif not self._broken:
            self._broken = True
            first = self._last.size if self._last else 0
            self._report(
                "altered log",
                f"leaves {first} to {checkpoint.size - 1} are not those that were signed on {checkpoint.time}",
            )

    def _compare_kept(self) -> None:
        kept = self._kept.pop(self._frontier.size, None)
        if kept and kept.root != self._frontier.root():
            self._report("altered log", f"its first {kept.size} leaves are not those that were signed on {kept.time}")

    def _take_unsealed(self, event: Event) -> None:
        self.totals.events += 1
        head = self._streams.head(event.originator_id)
        if event.version != head.version + 1:
            self._report_leaf("deleted", event.leaf, f"version {event.version - 1} is not there before it")
        elif event.hash_after(head.hash) != event.hash:
            self._report_leaf("edited", event.leaf, "its hash does not follow from its content and the event before")
        self._streams.put(event.originator_id, Head(event.version, event.hash, event.version))
        if why := self._inserted(event):
            self._report_leaf("inserted", event.leaf, why)
        elif event.recorded_at < microseconds(self._begins.time - self._patience):
            why = f"it was recorded on {iso(event.recorded_at)}; does the sealer run?"
            self._report_leaf("unsealed", event.leaf, why)

    def _inserted(self, event: Event) -> str | None:
        """Why an event that is not sealed should have been."""
        if event.recorded_at > microseconds(self._begins.time + LONGEST_TRANSACTION):
            return f"its time is {iso(event.recorded_at)}, which has not come yet"
        last = self._last
        if last is None or not last.size:
            return None
        if last.server == self._begins.server and last.snapshot.sees(event.xid):
            return f"its transaction was committed when {last.time} was signed, and it was not there"
        if event.recorded_at < microseconds(last.time - LONGEST_TRANSACTION):
            return f"its time is {iso(event.recorded_at)}, and it was not there when {last.time} was signed"
        return None

    def _report_leaf(self, kind: str, leaf: Leaf, detail: str) -> None:
        self._report(kind, detail, leaf)

    def _report(self, kind: str, detail: str, leaf: Leaf | None = None) -> None:
        self.totals.findings += 1
        name = (leaf.originator_id, leaf.version, leaf.topic, leaf.position) if leaf else ()
        self._tell(Finding(kind, self.totals.store, detail, *name))
