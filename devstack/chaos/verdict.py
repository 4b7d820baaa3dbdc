"""Verdict: the answer of the checker to one question, with the ids that offend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OK, LOST, RECOVERED = "ok", "lost", "recovered"
UNEXPECTED, DUPLICATED, INDETERMINATE = "unexpected", "duplicated", "indeterminate"
COUNTED = (OK, LOST, RECOVERED, UNEXPECTED, DUPLICATED, INDETERMINATE)
"""The words of Jepsen's reports: acknowledged and there; acknowledged and not there; not acknowledged and there; there
although it was refused or nobody asked for it; there more than once; neither acknowledged nor refused to the end."""


@dataclass(frozen=True)
class Offence:
    """One subject that breaks a rule, such as `order 0192...`, and what was found there."""

    subject: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """`name` is short and stable (`money`); `question` is a sentence; it is good when nothing offends."""

    name: str
    question: str
    counts: Mapping[str, float] = field(default_factory=dict)
    """Word of `COUNTED`, or a figure of this verdict's own such as `seconds to recover` -> number."""
    offences: Sequence[Offence] = ()

    @property
    def is_good(self) -> bool:
        return not self.offences
