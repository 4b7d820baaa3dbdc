"""The code of a mutant, put into the functions of a module that is imported, so that nothing is imported again."""

import gc
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType


def swap(path: str, before: str, after: str) -> bool:
    """Give the functions of the file `path` their code in `after`. False when more differs, such as a default."""
    old, new = compile(before, path, "exec"), compile(after, path, "exec")
    if not imports_alike(old, new):
        return False
    codes = {place(code): code for code in nested(new)}
    for function in [each for each in gc.get_objects() if isinstance(each, FunctionType)]:
        if function.__code__.co_filename == path and place(function.__code__) in codes:
            function.__code__ = codes[place(function.__code__)]
    return True


def place(code: CodeType) -> tuple[str, int]:
    """A function by its name and first line, which a mutation leaves as they are."""
    return code.co_qualname, code.co_firstlineno


def defined_in(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def nested(code: CodeType) -> Iterator[CodeType]:
    """What is defined in it, at any depth."""
    for each in defined_in(code):
        yield each
        yield from nested(each)


def imports_alike(old: CodeType, new: CodeType) -> bool:
    """Whether the import of a module, with the bodies of its classes, does the same: they differ within functions."""
    return own(old) == own(new) and all(
        imports_alike(*pair)
        for pair in zip(defined_in(old), defined_in(new), strict=True)
        if not pair[0].co_flags & inspect.CO_OPTIMIZED
    )


def own(code: CodeType) -> tuple[object, ...]:
    """What it does, without what the functions in it do."""
    constants = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, constants, len(defined_in(code))
