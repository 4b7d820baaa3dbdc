"""The result of the sealer's last verification of a store, in a file beside its log, and the verdict from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.store_check import VerifyTotals

Verification = Mapping[str, Any]
MAX_NAMED = 100
"""Findings that the file names."""
NOT_VERIFIED: Verification = {"clean": None, "problem": None, "verified_at": None, "next_by": None, "named": []}
LATE_AFTER_PAUSES = 3
"""A verification older than this number of pauses proves nothing about now: the sealer does not run."""


def save(files: LogFiles, totals: VerifyTotals, found: Sequence[AuditFinding], pause: float) -> None:
    """Save a completed verification; the next one follows after `pause` seconds."""
    now = datetime.now(UTC)
    content = {
        **asdict(totals),
        "clean": not found,
        "problem": None,
        "verified_at": now,
        "next_by": now + LATE_AFTER_PAUSES * timedelta(seconds=pause),
    }
    write(files, content | named(found))


def save_failure(files: LogFiles, found: Sequence[AuditFinding], problem: str) -> None:
    """Save that a verification failed. Its findings stand, or else those of the last completed one."""
    last = last_verification(files) or {**NOT_VERIFIED, **asdict(VerifyTotals(files.store))}
    write(files, {**last, "clean": None, "problem": problem} | (named(found) if found else {}))


def named(found: Sequence[AuditFinding]) -> dict[str, Any]:
    return {"findings": len(found), "named": [asdict(each) for each in found[:MAX_NAMED]]}


def last_verification(files: LogFiles) -> dict[str, Any] | None:
    """The saved result; None before the first."""
    try:
        return {**NOT_VERIFIED, **json.loads(path_of(files).read_text())}
    except FileNotFoundError:
        return None


def is_late(found: Verification) -> bool:
    """Whether the next verification should have replaced this one by now."""
    return bool(found["next_by"]) and datetime.now(UTC) > datetime.fromisoformat(found["next_by"])


def is_clean(stores: Mapping[str, Verification | None]) -> bool | None:
    """False when any store has findings; None when a store has no recent, completed verification."""
    found = list(stores.values())
    if any(each and each["findings"] for each in found):
        return False
    return True if found and all(each and each["clean"] and not is_late(each) for each in found) else None


def path_of(files: LogFiles) -> Path:
    return files.directory / f"{files.store}.verification.json"


def write(files: LogFiles, content: Verification) -> None:
    """Replace the file in one step."""
    path = path_of(files)
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(content, default=str))
    new.replace(path)
