"""PgBouncer before one database, where the machine has it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.ports import LOOPBACK, choose
from tests.support.wait import until

PROGRAM = shutil.which("pgbouncer")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed: apt-get install pgbouncer")
CONFIGURATION = """\
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = {loopback}
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""


@contextmanager
def pooled(url: str, mode: str, directory: Path) -> Iterator[str]:
    """The URL of the same database behind a PgBouncer with this `pool_mode`."""
    own = choose(set())
    file = directory / f"pgbouncer-{mode}.ini"
    parts = conninfo_to_dict(url)
    file.write_text(CONFIGURATION.format(**parts, own=own, mode=mode, loopback=LOOPBACK))
    directory.chmod(0o755)
    as_nobody = ["-u", "nobody"] if os.getuid() == 0 else []
    assert PROGRAM
    process = subprocess.Popen([PROGRAM, "-q", *as_nobody, str(file)])
    address = f"postgresql://{parts['user']}@{LOOPBACK}:{own}/{parts['dbname']}"
    try:
        until(lambda: answers(address))
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    try:
        psycopg.connect(make_conninfo(address, connect_timeout=2)).close()
    except psycopg.OperationalError:
        return False
    return True
