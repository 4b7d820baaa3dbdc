"""What is concluded from the last verifications, and what the dashboard's badge says of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ordersaga.audit.findings import AuditFinding
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.store_check import VerifyTotals
from ordersaga.audit.verification import Verification, is_clean, last_verification, save, save_failure
from projections.dashboard.components.audit import badge

FOUND = AuditFinding("cut log", "orders", "gone")


@pytest.fixture
def files(tmp_path: Path) -> LogFiles:
    return LogFiles(tmp_path, "orders")


def seen(files: LogFiles) -> tuple[bool | None, str, str]:
    """The verdict, and the badge's tone and words."""
    stores: dict[str, Verification | None] = {"orders": last_verification(files)}
    shown: Any = badge(stores)
    return is_clean(stores), shown.className.split("tone-")[1], shown.children[1]


def test_a_store_is_clean_while_its_last_verification_is(files: LogFiles) -> None:
    assert seen(files) == (None, "idle", "Not verified yet")
    save(files, VerifyTotals("orders", events=3), [], 60)
    assert seen(files) == (True, "good", "History is unchanged")


def test_a_verification_that_could_not_be_completed_is_no_proof_and_says_why(files: LogFiles) -> None:
    save(files, VerifyTotals("orders", events=3), [], 60)
    save_failure(files, [], "DataError('year is out of range')")
    assert seen(files) == (None, "warn", "Verification was not completed")
    kept = last_verification(files)
    assert kept is not None
    assert (kept["clean"], kept["problem"], kept["events"]) == (None, "DataError('year is out of range')", 3)


def test_what_was_found_stands_until_a_verification_is_completed(files: LogFiles) -> None:
    bad = (False, "bad", "History was changed: 1 finding")
    save_failure(files, [FOUND], "gone")
    assert seen(files) == bad
    save_failure(files, [], "gone")
    assert seen(files) == bad
    save(files, VerifyTotals("orders"), [], 60)
    assert seen(files)[0] is True


def test_a_sealer_that_stopped_does_not_look_green(files: LogFiles) -> None:
    save(files, VerifyTotals("orders"), [], -1)
    assert seen(files) == (None, "warn", "Verification is late: does the sealer run?")
    kept = last_verification(files)
    assert kept is not None
    assert datetime.fromisoformat(kept["verified_at"]) > datetime.now(UTC) - timedelta(minutes=1)
