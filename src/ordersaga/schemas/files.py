"""The files of contracts, in a directory or as they stand in a revision of git: one schema each, and the document."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ordersaga.schemas.asyncapi import asyncapi
from ordersaga.schemas.described import contracts_of
from ordersaga.schemas.payload import schema_of
from ordersaga.service import Service

DOCUMENT = "asyncapi.json"
SCHEMAS = "schemas"
"""The folder beside the document."""
TITLE = "Messages"
VERSION = "1"


class NoSchemas(Exception):
    """There are no schemas where they were looked for; the text says where, and what to do."""


def schemas_of(services: Sequence[Service]) -> dict[str, dict[str, Any]]:
    """The schema of every contract of an application, by name."""
    found = contracts_of(services)
    return {name: schema_of(each.contract, each.reactions) for name, each in found.items()}


def files_of(services: Sequence[Service], title: str = TITLE, version: str = VERSION) -> dict[str, str]:
    """Path -> content of the document and of all schemas."""
    schemas = {f"{SCHEMAS}/{name}.json": text_of(schema) for name, schema in schemas_of(services).items()}
    return {DOCUMENT: text_of(asyncapi(services, title, version)), **schemas}


def text_of(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(files: Mapping[str, str], directory: Path, prune: bool) -> None:
    """Write the files; with `prune` delete schemas of contracts that are gone. Raises OSError."""
    for old in (directory / SCHEMAS).glob("*.json") if prune else ():
        if f"{SCHEMAS}/{old.name}" not in files:
            old.unlink()
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


def read(reference: str, directory: Path) -> dict[str, dict[str, Any]]:
    """The schemas in a directory of schemas, or those that `directory` has in a revision of git, by name.

    Raises:
        NoSchemas: there are none, one cannot be read, or it is neither.
    """
    place = Path(reference)
    try:
        texts = of_directory(place) if place.is_dir() else of_revision(reference, directory)
    except (OSError, UnicodeDecodeError) as error:
        raise NoSchemas(f"A schema in {reference} cannot be read: {error}") from None
    if not texts:
        where = reference if place.is_dir() else f"{directory / SCHEMAS} of revision {reference}"
        raise NoSchemas(f"There are no schemas in {where}. Write them with `contracts schemas --out {directory}`.")
    return dict(map(named, texts))


def named(text: str) -> tuple[str, dict[str, Any]]:
    """The name of a contract and its schema. Raises NoSchemas."""
    try:
        schema = json.loads(text)
        return schema["$id"].rpartition(":")[2], schema
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NoSchemas(f"This is no schema that `contracts schemas` wrote: {text[:60]!r}") from None


def of_directory(place: Path) -> list[str]:
    inner = place / SCHEMAS
    return [file.read_text(encoding="utf-8") for file in sorted((inner if inner.is_dir() else place).glob("*.v*.json"))]


def of_revision(revision: str, directory: Path) -> list[str]:
    """Raises NoSchemas: git does not know the revision here."""
    require_revision(revision)
    folder = directory / SCHEMAS
    try:
        names = git("ls-tree", "--name-only", revision, f"./{folder.as_posix()}/").split()
    except subprocess.CalledProcessError as error:
        raise NoSchemas(f"git finds no {folder} in {revision}: {error.stderr.strip()}") from None
    return [git("show", f"{revision}:./{name}") for name in names if name.endswith(".json")]


def require_revision(revision: str) -> None:
    """Raises NoSchemas."""
    try:
        git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{tree}}")
    except FileNotFoundError:
        raise NoSchemas("git is not installed: name a directory with the older schemas.") from None
    except subprocess.CalledProcessError:
        raise NoSchemas(
            f"{revision!r} is neither a directory nor a revision that git knows here. A shallow clone lacks older "
            "revisions: `git fetch --depth 1 origin BRANCH`, then name FETCH_HEAD."
        ) from None


def git(*arguments: str) -> str:
    """Raises CalledProcessError, or FileNotFoundError without git."""
    return subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", check=True).stdout
