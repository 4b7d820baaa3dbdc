"""The Merkle root is that of RFC 6962: Certificate Transparency's vectors, and the RFC's definition for any size."""

from hypothesis import given
from hypothesis import strategies as st

from ordersaga.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]


def test_roots_are_those_of_certificate_transparency() -> None:
    frontier = Frontier()
    assert frontier.root().hex() == EMPTY_ROOT.hex() == ROOTS[0]
    for leaf, root in zip(LEAVES, ROOTS[1:], strict=True):
        frontier.append(leaf)
        assert frontier.root().hex() == root
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"


def root_by_definition(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) as RFC 6962, 2.1 defines it: split at the largest power of two below n."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(root_by_definition(leaves[:middle]), root_by_definition(leaves[middle:]))


@given(st.integers(0, 300))
def test_a_frontier_has_the_root_of_the_whole_tree(size: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert (frontier.size, frontier.root()) == (size, root_by_definition(leaves))
