"""RabbitMQ's programs on this machine, and their installation by apt."""

import os
import subprocess
import time
from pathlib import Path
from shutil import which

from rich.console import Console

from ordersaga.cli.errors import CannotRunHere

PACKAGE = "rabbitmq-server"
REAL_SCRIPTS = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Debian's own; the one in /usr/sbin is a wrapper that changes to the user `rabbitmq`."""

# The policy keeps the packaged service, which listens on every interface, from starting while we install.
INSTALL = f"""
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM HUP
    printf '%s\\n' '#!/bin/sh' 'case "$1" in rabbitmq-server*|epmd*) exit 101;; esac' > $policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
install() {{
    apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=1 {PACKAGE}
}}
install || {{ apt-get update && install; }}
"""

CHOICES = f"""RabbitMQ is not installed, and {{reason}}.
What you can do:
  - install it:  apt-get install {PACKAGE}   (or your system's package; it needs no running service)
  - use your own broker:  AMQP_URL=amqp://user:password@host:port/vhost ./ordersaga ...
  - use containers:  ./ordersaga up --docker"""


def server_program() -> str:
    """Raises CannotRunHere when RabbitMQ is not installed."""
    return _found(find_server())


def epmd_program() -> str:
    """Erlang's name server; raises CannotRunHere when RabbitMQ is not installed."""
    return _found(which("epmd"))


def _found(program: str | None) -> str:
    if program is None:
        raise CannotRunHere(CHOICES.format(reason=obstacle() or "`./ordersaga up`, which installs it, has not run"))
    return program


def find_server() -> str | None:
    return REAL_SCRIPTS if Path(REAL_SCRIPTS).is_file() else which(PACKAGE)


def ensure_installed(console: Console) -> None:
    """Install RabbitMQ by apt where that is possible; raises CannotRunHere with the choices where it is not."""
    if find_server() and which("epmd"):
        return
    if found := obstacle():
        raise CannotRunHere(CHOICES.format(reason=found))
    install(root_prefix() or [], console)


def obstacle() -> str:
    """Why it cannot be installed; empty when it can."""
    if which("apt-get") is None:
        return "there is no apt-get to install it with"
    if root_prefix() is None:
        return "installing it needs root or sudo without a password"
    return ""


def root_prefix() -> list[str] | None:
    """The prefix of a command that runs as root; None when that is not allowed."""
    if os.geteuid() == 0:
        return []
    sudo = which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def install(as_root: list[str], console: Console) -> None:
    said: list[str] = []
    started = time.monotonic()
    console.print(f"Installing {PACKAGE} with apt (once)", highlight=False)
    command = [*as_root, "/bin/sh", "-c", INSTALL]
    with (
        console.status(f"Installing {PACKAGE} with apt") as status,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as apt,
    ):
        for line in apt.stdout or ():
            if line.startswith(("dlstatus:", "pmstatus:")):
                status.update(f"Installing {PACKAGE} with apt: {progress(line)}")
            else:
                said.append(line.rstrip())
    if apt.returncode or find_server() is None:
        raise CannotRunHere(CHOICES.format(reason=f"apt-get could not install it ({'; '.join(errors(said))})"))
    console.print(f"Installed in {time.monotonic() - started:.0f} s", highlight=False)


def errors(lines: list[str]) -> list[str]:
    """apt's own error lines, else its last lines."""
    return [line for line in lines if line.startswith(("E:", "Err:", "dpkg: error"))][:4] or lines[-4:]


def progress(line: str) -> str:
    """apt's `pmstatus:<package>:<percent>:<what>` as a person reads it."""
    kind, _, percent, what = (line.rstrip().split(":", 3) + ["", "", ""])[:4]
    share = percent.partition(".")[0]
    return f"{'downloading' if kind == 'dlstatus' else what} ({share} %)"
