"""The mutants of files, by default of all, as JSON lines: `python -m tests.mutation.make [FILE]...`.

Only changes of decisions are made: a comparison, its boundary, a condition, `and` and `or`, a number within a function,
plus and minus, `break` and `continue`, an exception that is caught, and a call whose value nobody uses, left out.
"""

import json
import re
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

from tests.mutation.targets import TARGETS

WANTED = re.compile(
    r"ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Lt_GtE|LtE_Gt|Gt_LtE|GtE_Lt)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add)|ReplaceUnaryOperator_Delete_Not|AddNot|ReplaceTrueWithFalse"
    r"|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue|ReplaceContinueWithBreak"
    r"|ExceptionReplacer|NumberReplacer"
)
OBSERVED = re.compile(r"TYPE_CHECKING|\bfailpoints\.|\blog\.|\.labels\(|\bspans?\.|_spans\.|super\(\)|__init__")
"""Lines on which nothing is decided: logs, counters, traces; and failpoints, and those without which nothing works."""
COUNTS = ("comparison", "arith_expr", "term", "and_test", "or_test")
"""Where a number is part of a decision; elsewhere it is an index or an argument."""


class LeaveOutCall(Operator):  # type: ignore[misc]
    """A statement that is a call becomes `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if is_plain_call(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return parso.python.tree.Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return ()


class TurnMembership(Operator):  # type: ignore[misc]
    """`in` becomes `not in`, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if node.type == "comparison" and is_membership(node.children[1]):
            yield node.children[1].start_pos, node.children[1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        turned = "in" if "not" in node.children[1].get_code() else "not in"
        node.children[1] = parso.python.tree.Keyword(turned, node.children[1].start_pos, prefix=" ")
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return ()


def is_plain_call(node: Any) -> bool:
    """Whether it is a call, as a statement of its own."""
    return (
        node.type in ("atom_expr", "power")
        and node.parent.type == "simple_stmt"
        and node.children[-1].type == "trailer"
        and node.children[-1].children[0].value == "("
    )


def is_membership(node: Any) -> bool:
    return node.get_code().split() in (["in"], ["not", "in"])


def operators() -> Iterator[tuple[str, Any]]:
    core = OperatorProvider()
    for name in core:
        if WANTED.fullmatch(name):
            yield name, core[name]()
    yield "LeaveOutCall", LeaveOutCall()
    yield "TurnMembership", TurnMembership()


def is_decision(name: str, node: Any) -> bool:
    """Whether this operator changes a decision here, and another operator does not change it in the same way."""
    if name in ("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer"):
        is_in_function = parso.tree.search_ancestor(node, "funcdef") is not None
        return is_in_function and (name != "NumberReplacer" or node.parent.type in COUNTS)
    if name == "AddNot":
        condition = node.children[2] if node.type == "test" else node.children[1]
        return condition.type not in ("comparison", "not_test")
    return True


def mutants_of(file: str) -> Iterator[dict[str, Any]]:
    """Each with its number in the file, its line, the operator, and the whole text of the mutated file."""
    source = Path(file).read_text()
    lines = source.splitlines()
    found = []
    for name, operator in operators():
        positions = [
            (position[0], node) for node in ast_nodes(get_ast(source)) for position in operator.mutation_positions(node)
        ]
        for occurrence, (start, node) in enumerate(positions):
            if is_decision(name, node) and not OBSERVED.search(lines[start[0] - 1]):
                found.append((start, name, occurrence, operator))
    for number, (start, name, occurrence, operator) in enumerate(sorted(found, key=lambda each: each[:3]), 1):
        try:
            text = mutate_code(source, operator, occurrence)
            compile(text, file, "exec")
        except (AttributeError, SyntaxError):
            continue  # it cannot replace an exception with a dotted name, and `not` with `:=` is no Python
        diff = changed(source, text)
        yield {"file": file, "number": number, "line": start[0], "operator": name, "diff": diff, "text": text}


def changed(source: str, text: str) -> str:
    """The first line that differs, as it was and as it is."""
    for before, after in zip_longest(source.splitlines(), text.splitlines(), fillvalue=""):
        if before != after:
            return f"{before.strip()} -> {after.strip()}"
    return ""


if __name__ == "__main__":
    for argument in sys.argv[1:] or TARGETS:
        for mutant in mutants_of(argument):
            sys.stdout.write(json.dumps(mutant) + "\n")
