"""The check of one store during a verification: chains, leaves, roots and signatures."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from ordersaga.audit.checkpoint import Checkpoint, KeptCheckpoints
from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.leaf import Leaf, iso, microseconds
from ordersaga.audit.merkle import Frontier, leaf_hash
from ordersaga.audit.note import BadNote, VerifierKey
from ordersaga.audit.records import SealedEvent, SignedCheckpoint, StoreBegins, StoreEnds, UnsealedEvent
from ordersaga.audit.store import EventRow
from ordersaga.audit.stream_heads import StreamHead, StreamHeads

LONGEST_TRANSACTION = timedelta(minutes=5)
"""An event carries the time at which its transaction began, and is sealed after the commit."""

Report = Callable[[AuditFinding], None]


@dataclass
class VerifyTotals:
    """The figures of one store in a verification."""

    store: str
    events: int = 0
    sealed: int = 0
    checkpoints: int = 0
    findings: int = 0
    since: datetime | None = None
    """When the first checkpoint was signed."""
    until: datetime | None = None
    """When the last valid checkpoint was signed: events up to then are proven."""


class StoreCheck:
    """Checks the records of one store, one after the other, and reports every deviation."""

    def __init__(
        self, begins: StoreBegins, key: VerifierKey, report: Report, kept: KeptCheckpoints, patience: timedelta
    ) -> None:
        self.totals = VerifyTotals(begins.store)
        self._begins = begins
        self._key = key
        self._report_finding = report
        self._kept = {size: each for (store, size), each in kept.checkpoints.items() if store == begins.store}
        self._patience = patience
        self._frontier = Frontier()
        self._heads = StreamHeads()
        self._last: Checkpoint | None = None
        self._broken = False
        """Set after the first wrong root: those of all later checkpoints are wrong too."""
        self._compare_kept()

    def check(self, record: SealedEvent | SignedCheckpoint | UnsealedEvent) -> None:
        match record:
            case SealedEvent():
                self._check_leaf(record.line, record.event)
            case SignedCheckpoint():
                self._check_checkpoint(record.note)
            case UnsealedEvent():
                self._check_unsealed(record.event)

    def end(self, ends: StoreEnds) -> None:
        """Report the missing events, leaves and checkpoints, which are known only at the end of the records."""
        with closing(self._heads):
            for leaf, present in self._heads.missed():
                kind = "truncated" if 0 < present < leaf.version else "deleted"
                self._report_leaf(kind, leaf, "it was sealed, and is gone")
            for size, checkpoint in sorted(self._kept.items()):
                self._report("cut log", f"{size} leaves were signed on {checkpoint.time}, and are not all there")
            if not self.totals.checkpoints:
                self._report("unsealed", "there is no checkpoint: nothing proves what this store held")
            if ends.events != self.totals.events:
                self._report("cut log", f"{ends.events} events were exported, and {self.totals.events} are there")

    def cut_off(self) -> None:
        """Report that the records stop before their StoreEnds."""
        self._report("cut log", "the export stops before its end")
        self.end(StoreEnds(self.totals.store, self.totals.events))

    def _check_leaf(self, line: bytes, event: EventRow | None) -> None:
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
        self._check_event(leaf, event)
        return None

    def _check_event(self, leaf: Leaf, event: EventRow | None) -> None:
        """The place of the leaf in its stream, then the event itself."""
        head = self._heads.head(leaf.originator_id)
        if leaf.version != head.version + 1:
            gap = leaf.version > head.version
            kind, what = ("deleted", "came without") if gap else ("inserted", "was sealed when there was already")
            self._report_leaf(kind, leaf, f"it {what} version {leaf.version - 1 if gap else head.version}")
        if event is None:
            self._heads.miss(leaf)
        else:
            self._compare(leaf, event, head if leaf.version == head.version + 1 else None)
        self._check_time(leaf)
        present = leaf.version if event else head.present
        self._heads.put(leaf.originator_id, StreamHead(leaf.version, leaf.hash, present))

    def _compare(self, leaf: Leaf, event: EventRow, head: StreamHead | None) -> None:
        """Compare the event with its leaf, and its content with the sealed hash of the event before."""
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
            self._report_leaf("edited", leaf, "its content is not what was sealed, and its hash was recomputed")
        elif (event.hash, event.topic) != (leaf.hash, leaf.topic):
            self._report_leaf("edited", leaf, "its content is what was sealed, its hash is not")

    def _check_time(self, leaf: Leaf) -> None:
        """A leaf behind a checkpoint was committed after it, so its transaction cannot have begun long before."""
        last = self._last
        if last and last.size and leaf.recorded_at < microseconds(last.time - LONGEST_TRANSACTION):
            late = f"its time is {iso(leaf.recorded_at)}, and it was not there when {last.time} was signed"
            self._report_leaf("inserted", leaf, late)

    def _check_checkpoint(self, note: str) -> None:
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
        self._check_root(checkpoint)
        return None

    def _check_root(self, checkpoint: Checkpoint) -> None:
        """Compare the signed root with that of the leaves so far."""
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
        """Compare the root of the leaves so far with a kept checkpoint of this size."""
        kept = self._kept.pop(self._frontier.size, None)
        if kept and kept.root != self._frontier.root():
            self._report("altered log", f"its first {kept.size} leaves are not those that were signed on {kept.time}")

    def _check_unsealed(self, event: EventRow) -> None:
        """An event without a leaf must continue its stream and be too new to be sealed."""
        self.totals.events += 1
        head = self._heads.head(event.originator_id)
        if event.version != head.version + 1:
            self._report_leaf("deleted", event.leaf, f"version {event.version - 1} is not there before it")
        elif event.hash_after(head.hash) != event.hash:
            self._report_leaf("edited", event.leaf, "its hash does not follow from its content and the event before")
        self._heads.put(event.originator_id, StreamHead(event.version, event.hash, event.version))
        if why := self._inserted(event):
            self._report_leaf("inserted", event.leaf, why)
        elif event.recorded_at < microseconds(self._begins.time - self._patience):
            why = f"it was recorded on {iso(event.recorded_at)}; does the sealer run?"
            self._report_leaf("unsealed", event.leaf, why)

    def _inserted(self, event: EventRow) -> str | None:
        """The reason why an unsealed event must have been inserted later; None when it is new."""
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
        self._report_finding(AuditFinding(kind, self.totals.store, detail, *name))
