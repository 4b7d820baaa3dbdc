"""`python -m benchmarks.steps NAME=COMMIT ...`: the sagas of several commits by today's benchmarks, turn by turn."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.kept import file_of, kept
from devstack.state import ROOT

KEPT = file_of("steps")
HEADROOM_SECONDS = 900


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A work tree of the commit in which benchmarks/ is that of now."""
    with tempfile.TemporaryDirectory(prefix="step-") as directory:
        tree = Path(directory) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            shutil.rmtree(tree / "benchmarks")
            shutil.copytree(ROOT / "benchmarks", tree / "benchmarks")
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def measured(tree: Path, seconds: float) -> dict[str, Any]:
    """The figures of `python -m benchmarks.saga` there."""
    command = [sys.executable, "-m", "benchmarks.saga", "--json", "--seconds", str(seconds)]
    environment = {**os.environ, "PYTHONPATH": f"{tree}:{tree / 'src'}"}
    # Postgres, which does not run as root, must reach its data.
    tree.parent.chmod(0o711)
    done = subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, check=True, timeout=HEADROOM_SECONDS
    )
    return dict(json.loads(done.stdout))


def middle(of_rounds: list[Any]) -> Any:
    """The median of each number, however deep; of all else the first."""
    first = of_rounds[0]
    if isinstance(first, dict):
        return {key: middle([each[key] for each in of_rounds if key in each]) for key in first}
    if isinstance(first, list):
        return [middle(list(each)) for each in zip(*of_rounds, strict=True)]
    numbers = [each for each in of_rounds if isinstance(each, int | float)]
    return statistics.median(numbers) if numbers and len(numbers) == len(of_rounds) else first


def measure(commits: dict[str, str], rounds: int, seconds: float) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in commits}
    for number in range(rounds):
        for name, commit in commits.items():
            print(f"round {number + 1} of {rounds}: {name} ({commit[:7]}) ...", file=sys.stderr, flush=True)
            with checked_out(commit) as tree:
                found[name].append(measured(tree, seconds))
    return [{"step": name, "commit": commit[:7], **middle(found[name])} for name, commit in commits.items()]


def keep(steps: list[dict[str, Any]]) -> None:
    """In the order of their commits; a step of the same name is replaced."""
    all_steps = {step["step"]: step for step in (*(kept("steps") or ()), *steps)}
    dates = {name: int(git("show", "-s", "--format=%ct", step["commit"])) for name, step in all_steps.items()}
    made = sorted(all_steps.values(), key=lambda step: dates[step["step"]])
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(made, indent=1) + "\n")


def named(text: str) -> tuple[str, str]:
    name, _, commit = text.rpartition("=")
    try:
        return name or commit, git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError:
        raise argparse.ArgumentTypeError(f"{commit!r} is no commit of this repository") from None


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steps",
        description="Measures the whole stack of each commit with the benchmarks of this work tree, round by round, "
        f"and keeps the medians in {KEPT.relative_to(ROOT)} for `python -m benchmarks.report`. A commit takes some "
        "two minutes a round.",
    )
    parser.add_argument("commits", nargs="+", type=named, metavar="NAME=COMMIT", help="such as before=fd864c9")
    parser.add_argument("--rounds", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=8, help="of each part of a round (%(default)s)")
    options = parser.parse_args()
    keep(measure(dict(options.commits), options.rounds, options.seconds))
    print(f"written to {KEPT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
