"""A set of positions, stored as a bitmap."""

BLOCK = 1 << 16


class PositionSet:
    """A set of integers; a million consecutive positions take 128 KB."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def add(self, position: int) -> None:
        block, bit = divmod(position, BLOCK)
        self._blocks.setdefault(block, bytearray(BLOCK // 8))[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, position: int) -> bool:
        block, bit = divmod(position, BLOCK)
        bits = self._blocks.get(block)
        return bits is not None and bool(bits[bit >> 3] & 1 << (bit & 7))
