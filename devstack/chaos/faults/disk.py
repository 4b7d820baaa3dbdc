"""Faults of Postgres' disk: a small file system of its own is full, of the write-ahead log or of the data."""

import errno
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import ClassVar

import psycopg

from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import POSTGRES, find
from devstack.chaos.stage import Stage
from devstack.managed import wait_until_ready
from devstack.processes import GROUPS
from devstack.servers.account import Account
from devstack.servers.postgres import Postgres

MEGABYTE = 2**20
CAP_SYS_ADMIN = 1 << 21
STOP_SECONDS, START_SECONDS = 30, 90
SWITCHES = 20
WRITE = "select pg_logical_emit_message(true, 'chaos', repeat('x', 100000))"


class DiskFull(Fault):
    """A directory of Postgres moves to a small tmpfs while Postgres is stopped, and back when the fault heals."""

    server, alone = POSTGRES, True
    shortest, longest = 3, 5
    part: ClassVar[str]
    room: ClassVar[int]
    """Bytes beside what is there."""

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.small = stage.stack.state.directory / f"small-{self.part}"
        self.place = stage.stack.state.directory / POSTGRES / self.part
        self.is_small = False

    def cannot_run(self) -> str:
        fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        may_mount = int(fields["CapEff"], 16) & CAP_SYS_ADMIN
        return "" if may_mount else "To make a small file system it needs root and CAP_SYS_ADMIN."

    def inject(self) -> str:
        self.stop()
        self.move_to_small()
        self.start()
        free = fill(self.small / "ballast")
        self.use()
        return f"{self.part} is on a file system of its own, and {free // MEGABYTE} MB of ballast have filled it."

    def heal(self) -> str:
        if not self.is_small:
            return ""
        self.stop()
        (self.small / "ballast").unlink(missing_ok=True)
        self.place.unlink()
        copy(self.small, self.place)
        unmount(self.small)
        self.is_small = False
        self.start()
        return f"{self.part} is back where it was."

    def stop(self) -> None:
        """And keep it stopped."""
        self.stage.stack.supervisor.hold(POSTGRES)
        running = find(self.stage, POSTGRES)
        if running:
            self.stage.signals.send(POSTGRES, running, signal.SIGINT)
            if not running.wait(STOP_SECONDS):
                self.stage.signals.send(POSTGRES, running, signal.SIGKILL)
                running.wait(STOP_SECONDS)

    def start(self) -> None:
        self.stage.stack.supervisor.release(POSTGRES)
        wait_until_ready(self.managed, START_SECONDS)

    @property
    def managed(self) -> "Running":
        return Running(self.stage)

    def move_to_small(self) -> None:
        account = Account.for_postgres()
        size = sum(path.stat().st_size for path in self.place.rglob("*") if path.is_file()) + self.room
        self.small.mkdir(mode=0o700)
        options = f"size={size},mode=700,uid={account.uid},gid={account.gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(self.small)], check=True)
        self.is_small = True
        copy(self.place, self.small)
        shutil.rmtree(self.place)
        # Relative: access(2) asks with the account's own rights, which may not lead through the directories above.
        self.place.symlink_to(Path("..") / self.small.name)

    def use(self) -> None:
        """Do what needs room, until it fails."""
        url = self.stage.stack.environments.owner_urls()[GROUPS[0]]
        with suppress(psycopg.Error), psycopg.connect(url, autocommit=True, connect_timeout=5) as session:
            for _ in range(SWITCHES):
                session.execute(WRITE)
                session.execute("select pg_switch_wal()")


class WalDiskFull(DiskFull):
    name = "wal-disk-full"
    does = "The disk of Postgres' write-ahead log is full: Postgres panics, and cannot come back before there is room."
    part, room = "pg_wal", 40 * MEGABYTE


class DataDiskFull(DiskFull):
    name = "data-disk-full"
    does = "The disk of Postgres' tables is full: a statement that needs another page fails (53100)."
    part, room = "base", 12 * MEGABYTE

    def use(self) -> None:
        """The load needs pages soon enough."""


class Running(Postgres):
    """The server that the supervisor runs, to be asked whether it is ready."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.stack.state, stage.scene.records)
        self._stage = stage

    @property
    def pid(self) -> int:
        """It is started again whenever it dies, so that waiting goes on."""
        found = find(self._stage, POSTGRES)
        return found.pid if found else os.getpid()


def fill(ballast: Path) -> int:
    """Fill the file system, to which Postgres may be writing meanwhile. Returns the bytes that were free."""
    with ballast.open("wb") as file:
        while True:
            free = os.statvfs(ballast).f_bavail * os.statvfs(ballast).f_frsize
            try:
                os.posix_fallocate(file.fileno(), 0, max(free, 1))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                if not free:
                    return 0
            else:
                return free


def copy(source: Path, target: Path) -> None:
    """With owners and rights; `cp -a` keeps both."""
    target.mkdir(mode=0o700, exist_ok=True)
    shutil.copystat(source, target)
    os.chown(target, source.stat().st_uid, source.stat().st_gid)
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def unmount(small: Path) -> None:
    subprocess.run(["umount", str(small)], check=True)
    small.rmdir()
