"""The sagas of the peers' harness, one after the other on its servers; runs in the harness's own environment.

Prints a JSON line for each measurement. The harness's own section B has no case at 50 orders a second.
"""

import importlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

common: Any = importlib.import_module("common")
"""The harness's module of that name, from PYTHONPATH."""

PEERS = {
    "naive": ["saga_naive.py"],
    "eventsourcing": ["saga_eventsourcing.py", "--runner", "procs"],
    "celery": ["saga_celery.py", "--concurrency", "4"],
    "dbos": ["saga_dbos.py", "--procs", "2", "--workers", "8", "--poll", "0.05"],
}
"""As the harness calls them."""
CAP_SECONDS = 90
LONGEST_SECONDS = 200


@contextmanager
def servers(work: Path) -> Iterator[None]:
    """The harness's Postgres and RabbitMQ."""
    ports = (int(os.environ.get(f"PEERS_{name}_PORT", port)) for name, port in (("RMQ", "56810"), ("EPMD", "43691")))
    rabbitmq, postgres = common.Rabbit(work / "rmq", *ports), common.Pg(work / "pg")
    try:
        start(rabbitmq)
        postgres.start()
        print(json.dumps({"servers": {"rabbitmq": rabbitmq.version, **postgres.settings}}), flush=True)
        yield
    finally:
        if hasattr(postgres, "srv"):
            postgres.stop()
        rabbitmq.stop()
        for directory in ("rmq", "pg"):
            shutil.rmtree(work / directory, ignore_errors=True)


def start(rabbitmq: Any) -> None:
    """Twice: on a busy machine its Erlang name server is not always up in the 0.3 s that the harness gives it."""
    try:
        rabbitmq.start()
    except SystemExit:
        rabbitmq.stop()
        rabbitmq.procs.clear()
        rabbitmq.start()


def command(peer: str, harness: Path) -> list[str]:
    if peer == "ours":
        return shlex.split(os.environ["OURS_SAGA"])
    script, *options = PEERS[peer]
    return [sys.executable, str(harness / script), *options]


def run(arguments: list[str], harness: Path, log: Path) -> list[dict[str, Any]]:
    """The JSON lines that the command prints; what is left of its process group afterwards is killed."""
    with log.open("ab") as errors:
        errors.write(f"\n$ {shlex.join(arguments)}\n".encode())
        errors.flush()
        process = subprocess.Popen(
            arguments, cwd=harness, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            out, _ = process.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            out = b""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode or not out:
        print(f"{shlex.join(arguments)} ended with {process.returncode}: see {log}", file=sys.stderr)
    return [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]


def main() -> None:
    """argv: the harness's directory, and a JSON object with `peers`, `cases` and `reps`."""
    harness, plan, work = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(os.environ["PEERS_DIR"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (work / "results").mkdir(exist_ok=True)
    with servers(work):
        for rep in range(plan["reps"]):
            for case, number, rate, options in plan["cases"]:
                for peer in plan["peers"]:
                    if options and peer != "ours":
                        continue
                    common.fresh_db("saga")
                    sizes = ["--n", str(number), "--rate", str(rate), "--cap", str(CAP_SECONDS), "--case", case]
                    found = run([*command(peer, harness), *sizes, *options], harness, work / "results" / "stderr.log")
                    for line in found:
                        print(json.dumps({"section": "B", "rep": rep, **line}), flush=True)


if __name__ == "__main__":
    main()
