"""The Merkle tree of RFC 6962: roots, and proofs that a leaf is in a tree and that a tree continues another."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH = 32
EMPTY_ROOT = sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: all that is needed to append, some 32 bytes for each doubling."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """`leaf` is a leaf's hash."""
        node, number = leaf, self.size
        while number & 1:
            node = node_hash(self._nodes.pop(), node)
            number >>= 1
        self._nodes.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self._nodes:
            return EMPTY_ROOT
        node = self._nodes[-1]
        for left in reversed(self._nodes[:-1]):
            node = node_hash(left, node)
        return node


class Tree:
    """All hashes of a tree, 64 bytes a leaf: what proofs are made from."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """`leaves` are leaf hashes."""
        self._levels = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        return len(self._levels[0]) // HASH

    def append(self, leaf: bytes) -> None:
        node, number = leaf, self.size
        for level in self._levels:
            level += node
            if not number & 1:
                return
            node = node_hash(bytes(level[-2 * HASH : -HASH]), node)
            number >>= 1
        self._levels.append(bytearray(node))

    def root(self, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[size]) of RFC 6962, 2.1.1."""
        self._check(0 <= index < size)
        return self._path(index, 0, size)

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """PROOF(old, D[new]) of RFC 6962, 2.1.2; empty where `old` is 0 or `new`."""
        self._check(0 <= old <= new <= self.size)
        return self._continuation(old, 0, new, True) if old else []

    def _check(self, fits: bool) -> None:
        if not fits:
            raise IndexError(f"the tree has {self.size} leaves")

    def _subtree(self, first: int, last: int) -> bytes:
        """The hash over leaves `first` to `last`, the last not included."""
        width = last - first
        if width & (width - 1) == 0 and first % width == 0:
            number = first // width
            level = self._levels[width.bit_length() - 1]
            return bytes(level[number * HASH : (number + 1) * HASH])
        middle = first + split(width)
        return node_hash(self._subtree(first, middle), self._subtree(middle, last))

    def _path(self, index: int, first: int, last: int) -> list[bytes]:
        if last - first == 1:
            return []
        middle = first + split(last - first)
        if index < middle:
            return [*self._path(index, first, middle), self._subtree(middle, last)]
        return [*self._path(index, middle, last), self._subtree(first, middle)]

    def _continuation(self, old: int, first: int, last: int, whole: bool) -> list[bytes]:
        if old == last:
            return [] if whole else [self._subtree(first, last)]
        middle = first + split(last - first)
        if old <= middle:
            return [*self._continuation(old, first, middle, whole), self._subtree(middle, last)]
        return [*self._continuation(old, middle, last, False), self._subtree(first, middle)]


def split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root of the tree in which the proof puts the leaf's hash; None for a proof of the wrong form.

    The algorithm of RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    number, last, node = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            return None
        if number & 1 or number == last:
            node = node_hash(hash_, node)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            node = node_hash(node, hash_)
        number, last = number >> 1, last >> 1
    return node if last == 0 else None


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `new` leaves begins with that of `old`: RFC 9162, 2.1.4.2."""
    if old == new or old == 0:
        return not proof and (old_root == new_root if old == new else old_root == EMPTY_ROOT)
    if not 0 < old < new or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            before, after = node_hash(hash_, before), node_hash(hash_, after)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            after = node_hash(after, hash_)
        number, last = number >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root
