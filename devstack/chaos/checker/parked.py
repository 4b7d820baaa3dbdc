"""Parked: exactly the messages that were meant to be wait for a person, or were refused."""

from collections.abc import Collection, Mapping, Sequence

from devstack.chaos.checker.evidence import Evidence
from devstack.chaos.checker.refused import BEHIND, Refused, keys_of
from devstack.chaos.verdict import LOST, OK, UNEXPECTED, Offence, Verdict

QUESTION = "Are exactly those messages parked or undeliverable that were injected?"


def parked(evidence: Evidence) -> Verdict:
    return judge(evidence.refused, evidence.injected)


def judge(found: Mapping[str, Sequence[Refused]], injected: Collection[str]) -> Verdict:
    """`found` is by database. What waits behind an injected message, of the same key, is expected too."""
    counts, offences = {OK: 0, UNEXPECTED: 0, LOST: 0}, []
    for database, messages in found.items():
        keys = keys_of(messages, injected)
        for message in messages:
            if message.is_one_of(injected) or (message.key in keys and message.state in BEHIND):
                counts[OK] += 1
            else:
                counts[UNEXPECTED] += 1
                detail = f"of key {message.key} is {message.state} in {database}: {message.reason}"
                offences.append(Offence(f"message {message.announced_id}", detail))
    seen = {id_ for messages in found.values() for message in messages for id_ in message[:2]}
    for missing in sorted(set(injected) - seen):
        counts[LOST] += 1
        offences.append(Offence(f"message {missing}", "was to be parked or refused, and is not"))
    return Verdict("parked", QUESTION, counts, offences)
