"""The table of a mutation run, and its survivors: `python -m tests.mutation.report RESULTS`."""

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SURVIVORS = Path(__file__).with_name("survivors.toml")
OUTCOMES = ("killed", "timed out", "survived")


def table(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line of Markdown for each file."""
    yield "| file | mutants | killed | timed out | survived |"
    yield "|---|---|---|---|---|"
    for file in dict.fromkeys(result["file"] for result in results):
        counts = Counter(result["outcome"] for result in results if result["file"] == file)
        name = file.removeprefix("src/ordersaga/")
        yield f"| {name} | {counts.total()} | {' | '.join(str(counts[outcome]) for outcome in OUTCOMES)} |"
    counts = Counter(result["outcome"] for result in results)
    yield f"| all | {counts.total()} | {' | '.join(str(counts[outcome]) for outcome in OUTCOMES)} |"


def unexplained(results: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> list[str]:
    """The survivors of which `survivors.toml` says nothing."""
    return [
        f"{result['file']}:{result['line']} {result['operator']}: {result['diff']}"
        for result in results
        if result["outcome"] == "survived" and name_of(result) not in known
    ]


def name_of(result: Mapping[str, Any]) -> str:
    """The mutation by file, operator and line of code, which stays the same while lines above it change."""
    return f"{result['file'].removeprefix('src/ordersaga/')} {result['operator']} {result['diff']}"


def main(file: Path) -> int:
    results = [json.loads(line) for line in file.open()]
    known = {each["mutant"]: each["why"] for each in tomllib.loads(SURVIVORS.read_text())["survivor"]}
    left = unexplained(results, known)
    sys.stdout.write("\n".join([*table(results), "", *(f"NOT EXPLAINED: {line}" for line in left)]) + "\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
