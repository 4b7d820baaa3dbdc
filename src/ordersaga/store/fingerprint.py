"""The fingerprint of an aggregate's code: a snapshot that other code took says nothing about this code."""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from eventsourcing.domain import BaseAggregate

UNKNOWN = ""
"""The fingerprint of code whose source cannot be read: no snapshot of it is taken or used."""
LIBRARY = "eventsourcing"
RELEASE = ".".join(version(LIBRARY).split(".")[:2])
"""A part of each fingerprint, for the code of the bases that eventsourcing brings."""


@cache
def fingerprint(kind: type) -> str:
    """SHA-256 in hex over the code that makes the state of an aggregate from its events; UNKNOWN without its source,
    and for the bases that eventsourcing brings.

    That code is the modules of the class and of its bases, and the modules of the top-level package of the class that
    these import, directly or indirectly. Comments, docstrings and layout are no part of it, so every process of the
    same code has the same fingerprint, whatever it has imported.
    """
    if is_foreign(kind):
        return UNKNOWN
    try:
        parts = sorted(sha256(syntax.encode()).hexdigest() for syntax in code_of(kind))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return UNKNOWN
    return sha256("\n".join([RELEASE, kind.__qualname__, *parts]).encode()).hexdigest()


def of_all_aggregates() -> list[str]:
    """The fingerprints of the aggregates that this process has imported.

    The first call has to be soon after the imports: it reads files, and a deploy may replace them under a process that
    runs on.
    """
    return [found for kind in kinds_of_aggregates() if (found := fingerprint(kind)) != UNKNOWN]


def without_source() -> list[str]:
    """The aggregates that this process has imported and that get no snapshots, because their source cannot be read."""
    kinds = [kind for kind in kinds_of_aggregates() if not is_foreign(kind) and fingerprint(kind) == UNKNOWN]
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)


def kinds_of_aggregates() -> list[type]:
    """The classes of aggregates that this process has imported, and their bases."""
    kinds: list[type] = [BaseAggregate]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds


def is_foreign(kind: type) -> bool:
    return kind.__module__ == BaseAggregate.__module__ or top_of(kind.__module__) in sys.stdlib_module_names


def top_of(module: str) -> str:
    return module.partition(".")[0]


def code_of(kind: type) -> Iterator[str]:
    """The syntax of each module that the fingerprint covers. Raises OSError when one has no source."""
    own = {top_of(kind.__module__)} - {LIBRARY}
    waiting = [each.__module__ for each in kind.__mro__ if not is_foreign(each)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            syntax, imports = parsed(name)
            yield syntax
            waiting += [each for each in imports if top_of(each) in own and file_of(each)]


@cache
def parsed(name: str) -> tuple[str, list[str]]:
    """The syntax of a module, and every module that its source may import, whether or not this process has done so."""
    file = file_of(name)
    if file is None:
        raise FileNotFoundError(f"{name} has no source file")
    tree = ast.parse(file.read_bytes())
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return repr(shape(tree)), [each for node in ast.walk(tree) for each in imported(node, package)]


def file_of(name: str) -> Path | None:
    """The source of a module beside its top-level package, found without importing it."""
    top, *rest = name.split(".")
    module = sys.modules.get(top)
    if not rest:
        candidates = [Path(getattr(module, "__file__", None) or "")]
    else:
        bases = [Path(folder, *rest) for folder in getattr(module, "__path__", ())]
        candidates = [file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py")]
    return next((file for file in candidates if file.suffix == ".py" and file.is_file()), None)


def imported(node: ast.AST, package: str) -> list[str]:
    """What an import of a module in this package names: modules, and attributes of modules."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def shape(node: object) -> object:
    """Syntax as nested tuples, without what has no effect: docstrings, and fields that only some Python has."""
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return type(node).__name__, *((name, shape(value)) for name, value in fields)
    if isinstance(node, list):
        return [shape(each) for each in effective(node)]
    return node


def effective(nodes: Iterable[object]) -> Iterator[object]:
    """The statements without strings that stand alone."""
    for node in nodes:
        value = node.value if isinstance(node, ast.Expr) else None
        if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
            yield node
