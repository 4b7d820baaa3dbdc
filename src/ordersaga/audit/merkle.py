"""The Merkle tree of RFC 6962: the root over a growing list of leaves."""

from hashlib import sha256

EMPTY_ROOT = sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: one hash of 32 bytes for each bit of its size is enough to append."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        node, number = leaf, self.size
        while number & 1:
            node = node_hash(self._nodes.pop(), node)
            number >>= 1
        self._nodes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash over all leaves."""
        if not self._nodes:
            return EMPTY_ROOT
        node = self._nodes[-1]
        for left in reversed(self._nodes[:-1]):
            node = node_hash(left, node)
        return node
