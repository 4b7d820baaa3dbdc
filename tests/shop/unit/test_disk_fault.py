"""The fault that fills a disk fills it also while somebody else writes there."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from devstack.chaos.faults.disk import fill


def test_what_is_left_is_taken_although_it_becomes_less_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, taken = [3, 2], [0]

    def free(_: Path) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=blocks[0], f_frsize=4096)

    def allocate(_: int, start: int, size: int) -> None:
        if len(blocks) > 1:
            del blocks[0]
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(size)

    monkeypatch.setattr(os, "statvfs", free)
    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert fill(tmp_path / "ballast") == 2 * 4096
    assert sum(taken) == 2 * 4096
