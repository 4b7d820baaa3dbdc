"""What came of the sealer's last verification of a store: kept beside its log, and what may be concluded from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from projections.audit.findings import Finding
from projections.audit.log import LogFiles
from projections.audit.verify import Totals

Verification = Mapping[str, Any]
AT_MOST = 100
"""Findings that are kept of one verification."""
NEVER: Verification = {"clean": None, "problem": None, "verified_at": None, "next_by": None, "named": []}
LATE = 3
"""After so many times the pause between two, a verification says nothing of now: the sealer does not run."""


def keep(files: LogFiles, totals: Totals, found: Sequence[Finding], pause: float) -> None:
    """Of a verification that was completed; the next one follows after `pause` seconds."""
    now = datetime.now(UTC)
    content = {
        **asdict(totals),
        "clean": not found,
        "problem": None,
        "verified_at": now,
        "next_by": now + LATE * timedelta(seconds=pause),
    }
    write(files, content | named(found))


def keep_failed(files: LogFiles, found: Sequence[Finding], problem: str) -> None:
    """What was found before it could not go on, else by the last one that was completed, still stands."""
    last = last_verification(files) or {**NEVER, **asdict(Totals(files.store))}
    write(files, {**last, "clean": None, "problem": problem} | (named(found) if found else {}))


def named(found: Sequence[Finding]) -> dict[str, Any]:
    return {"findings": len(found), "named": [asdict(each) for each in found[:AT_MOST]]}


def last_verification(files: LogFiles) -> dict[str, Any] | None:
    """As the sealer kept it; None before the first."""
    try:
        return {**NEVER, **json.loads(path_of(files).read_text())}
    except FileNotFoundError:
        return None


def is_late(found: Verification) -> bool:
    return bool(found["next_by"]) and datetime.now(UTC) > datetime.fromisoformat(found["next_by"])


def is_clean(stores: Mapping[str, Verification | None]) -> bool | None:
    """False when something was found; None where a store was not verified, not to the end, or not lately."""
    found = list(stores.values())
    if any(each and each["findings"] for each in found):
        return False
    return True if found and all(each and each["clean"] and not is_late(each) for each in found) else None


def path_of(files: LogFiles) -> Path:
    return files.directory / f"{files.store}.verification.json"


def write(files: LogFiles, content: Verification) -> None:
    """All or nothing."""
    path = path_of(files)
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(content, default=str))
    new.replace(path)
