"""The fault that poisons queues acts as an operator afterwards, and only where that is recorded."""

from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from devstack.chaos.faults import poison
from devstack.chaos.stage import Stage
from devstack.processes import GROUPS


def test_nothing_is_poisoned_on_a_stage_without_a_history_where_the_checker_would_miss_what_the_operator_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison, "broker_channel", lambda _: pytest.fail("it sends"))
    scene: Any = type("Scene", (), {"application": None})
    fault = poison.PoisonMessages(Stage(cast("Any", None), scene, tmp_path), Random(1))
    with pytest.raises(RuntimeError, match="no history"):
        fault.inject()
    assert fault.sent == dict.fromkeys(GROUPS, 0)
