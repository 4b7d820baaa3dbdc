"""The Merkle tree is that of RFC 6962: Certificate Transparency's vectors, and what proofs promise of any tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    is_consistent,
    leaf_hash,
    node_hash,
    root_of_inclusion,
)

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
INCLUSIONS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]


def tree_of(size: int) -> Tree:
    return Tree(leaf_hash(str(number).encode()) for number in range(size))


def test_roots_are_those_of_certificate_transparency() -> None:
    frontier, tree = Frontier(), Tree()
    for leaf, root in zip([None, *LEAVES], ROOTS, strict=True):
        if leaf is not None:
            frontier.append(leaf)
            tree.append(leaf)
        assert frontier.root().hex() == tree.root().hex() == root
    assert EMPTY_ROOT.hex() == ROOTS[0]
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"


@pytest.mark.parametrize(("place", "proof"), INCLUSIONS.items())
def test_inclusion_proofs_are_those_of_certificate_transparency(place: tuple[int, int], proof: list[str]) -> None:
    index, size = place
    assert [hash_.hex() for hash_ in Tree(LEAVES).inclusion_proof(index, size)] == proof
    root = root_of_inclusion(LEAVES[index], index, size, [bytes.fromhex(hash_) for hash_ in proof])
    assert root is not None
    assert root.hex() == ROOTS[size]


@pytest.mark.parametrize(("sizes", "proof"), CONSISTENCIES.items())
def test_consistency_proofs_are_those_of_certificate_transparency(sizes: tuple[int, int], proof: list[str]) -> None:
    old, new = sizes
    assert [hash_.hex() for hash_ in Tree(LEAVES).consistency_proof(old, new)] == proof
    old_root, new_root = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new])
    assert is_consistent(old, new, old_root, new_root, [bytes.fromhex(hash_) for hash_ in proof])


@given(st.integers(1, 200).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_every_leaf_is_proven_to_be_in_its_tree_and_nowhere_else(place: tuple[int, int]) -> None:
    index, size = place
    tree = tree_of(size)
    leaf, proof = leaf_hash(str(index).encode()), tree.inclusion_proof(index, size)
    assert root_of_inclusion(leaf, index, size, proof) == tree.root()
    assert root_of_inclusion(leaf_hash(b"another"), index, size, proof) != tree.root()
    assert root_of_inclusion(leaf, index, size, [*proof, leaf]) is None
    if proof:
        assert root_of_inclusion(leaf, index, size, proof[:-1]) != tree.root()
        assert root_of_inclusion(leaf, index ^ 1, size, proof) != tree.root()


@given(st.integers(0, 200), st.integers(0, 200))
def test_every_tree_is_proven_to_continue_its_beginnings_and_no_other(one: int, other: int) -> None:
    old, new = sorted((one, other))
    tree = tree_of(new)
    proof = tree.consistency_proof(old, new)
    assert is_consistent(old, new, tree.root(old), tree.root(), proof)
    assert not is_consistent(old, new, leaf_hash(b"a tree never seen"), tree.root(), proof)
    assert not is_consistent(old, new, tree.root(old), tree.root(), [*proof, EMPTY_ROOT])
    if old:
        assert not is_consistent(old, new, tree.root(old), leaf_hash(b"another"), proof)
    if old < new:
        assert not is_consistent(new, old, tree.root(), tree.root(old), proof)


@given(st.integers(0, 200))
def test_a_frontier_has_the_root_of_the_whole_tree(size: int) -> None:
    frontier = Frontier()
    for number in range(size):
        frontier.append(leaf_hash(str(number).encode()))
    assert (frontier.size, frontier.root()) == (size, tree_of(size).root())


def test_a_proof_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="the tree has 3 leaves"):
        tree_of(3).inclusion_proof(3, 3)
    with pytest.raises(IndexError, match="the tree has 3 leaves"):
        tree_of(3).consistency_proof(1, 4)
