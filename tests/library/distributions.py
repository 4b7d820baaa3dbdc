"""Copies of the distributions that this interpreter has, with all that they declare to need."""

import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement


def needed(requirements: Iterable[Requirement]) -> list[Distribution]:
    """Those that meet the requirements, and what these need in turn.

    Raises:
        PackageNotFoundError: one is not installed here.
        AssertionError: one is installed in a version that a requirement does not allow.
    """
    found: dict[str, Distribution] = {}
    seen: set[str] = set()
    left = list(requirements)
    while left:
        requirement = left.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        have = distribution(requirement.name)
        assert requirement.specifier.contains(have.version, prereleases=True), f"{requirement}, but {have.version}"
        found[have.name] = have
        left += declared(have, requirement.extras)
    return list(found.values())


def declared(have: Distribution, extras: Iterable[str] = ()) -> list[Requirement]:
    """What it needs itself, with these extras."""
    all_of_it = map(Requirement, have.requires or ())
    chosen = [{"extra": extra} for extra in ("", *extras)]
    return [each for each in all_of_it if not each.marker or any(map(each.marker.evaluate, chosen))]


def copy(have: Distribution, site: Path) -> None:
    """Into the folder `site-packages` of another environment, compiled as it is here, programs included."""
    for file in have.files or ():
        source = Path(str(have.locate_file(file)))
        compiled = Path(cache_from_source(str(source))) if source.suffix == ".py" else source
        for path in {source, compiled}:
            if path.is_file():
                copy_file(path, site / Path(file).parent / path.relative_to(source.parent))


def copy_file(source: Path, target: Path) -> None:
    """A program begins with the interpreter of its environment."""
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    if target.parent.name == "bin" and (text := source.read_bytes()).startswith(b"#!"):
        python = str(target.with_name("python")).encode()
        target.write_bytes(text.replace(sys.executable.encode(), python, 1))
