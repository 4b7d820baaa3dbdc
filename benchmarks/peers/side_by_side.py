"""The peers side by side: medians of their runs, and ours / theirs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any, NamedTuple

OURS = "ours"


class Peer(NamedTuple):
    """One peer in one case; `ratio` is ours / its figure, `p99_ratio` the same of the 99th percentile."""

    section: str
    case: str
    peer: str
    value: float
    unit: str
    p50_ms: float | None
    p99_ms: float | None
    ratio: float | None
    p99_ratio: float | None
    runs: list[float]
    ok: bool
    refused: int
    """Orders that the peer refused for now and that were not offered again."""
    settings: dict[str, Any]


def side_by_side(lines: Iterable[dict[str, Any]]) -> list[Peer]:
    """In the order of the first line of each."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["section"], line["case"], named(line)].append(line)
    return [peer(key, runs, groups.get((*key[:2], OURS))) for key, runs in groups.items()]


def named(line: dict[str, Any]) -> str:
    """Two figures of one peer differ by this setting alone."""
    functions = line.get("settings", {}).get("db_functions")
    return str(line["peer"]) + ("" if functions is None else f", db functions {'on' if functions else 'off'}")


def peer(key: tuple[str, str, str], runs: list[dict[str, Any]], ours: list[dict[str, Any]] | None) -> Peer:
    values = [run["value"] for run in runs]
    ratio, p99_ratio = over(ours, runs, "value"), over(ours, runs, "p99_ms")
    right = all(run.get("ok", True) and not run.get("lost") and not run.get("MISMATCH") for run in runs)
    last = runs[-1]
    return Peer(
        *key,
        middle(runs, "value") or 0.0,
        last["unit"],
        middle(runs, "p50_ms"),
        middle(runs, "p99_ms"),
        *((None, None) if key[2].startswith(OURS) else (ratio, p99_ratio)),
        values,
        right,
        sum(run.get("refused", 0) for run in runs),
        last.get("settings", {}),
    )


def middle(runs: list[dict[str, Any]], name: str) -> float | None:
    found = [run[name] for run in runs if run.get(name) is not None]
    return round(median(found), 2) if found else None


def over(ours: list[dict[str, Any]] | None, theirs: list[dict[str, Any]], name: str) -> float | None:
    """Of the medians."""
    mine, others = middle(ours or [], name), middle(theirs, name)
    return round(mine / others, 3) if mine is not None and others else None


HEAD = ("case", "peer", "figure", "unit", "p50 ms", "p99 ms", "ours / it", "ours / it, p99", "runs", "right")


def cells(peer: Peer) -> tuple[str, ...]:
    figures = [spelled(figure) for figure in (peer.p50_ms, peer.p99_ms, peer.ratio, peer.p99_ratio)]
    runs = " / ".join(spelled(run) for run in peer.runs)
    right = ("yes" if peer.ok else "NO") + (f", {peer.refused} refused" if peer.refused else "")
    return (peer.case, peer.peer, spelled(peer.value), peer.unit, *figures, runs, right)


def spelled(figure: float | None) -> str:
    return "" if figure is None else f"{figure:,.0f}" if figure >= 1000 else f"{figure:.4g}"


def markdown(peers: Iterable[Peer]) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield f"|{'---|' * len(HEAD)}"
    for each in peers:
        yield f"| {' | '.join(cells(each))} |"


def to_json(peers: Iterable[Peer], about: dict[str, Any]) -> str:
    return json.dumps({**about, "peers": [each._asdict() for each in peers]}, indent=1) + "\n"
