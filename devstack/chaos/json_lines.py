"""Files of JSON lines, to which a run appends while a disk may fill up or the process may be killed."""

import json
from pathlib import Path
from typing import Any


def read_whole_lines(path: Path) -> list[Any]:
    """The object of each line. A last line without its end, whose write was cut off, is left out."""
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
