"""Checkpoints are signed notes in their one exact form; leaves are lines in theirs."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ordersaga.audit.checkpoint import Checkpoint, Snapshot
from ordersaga.audit.leaf import Leaf, microseconds
from ordersaga.audit.merkle import EMPTY_ROOT
from ordersaga.audit.note import BadKey, BadNote, Signer, VerifierKey

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
GO_NOTE = f"{GO_TEXT}\n\u2014 PeterNeumann {GO_SIGNATURE}\n"
CHECKPOINT = Checkpoint("counting", 7, EMPTY_ROOT, datetime(2026, 3, 1, 12, tzinfo=UTC), "42", Snapshot("9:9:"))


@pytest.fixture
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate())


def test_a_note_signed_by_go_is_read() -> None:
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert key.open(GO_NOTE) == GO_TEXT


def test_a_changed_note_or_anothers_is_refused(signer: Signer) -> None:
    key = VerifierKey.parse(GO_KEY)
    with pytest.raises(BadNote, match="does not fit its text"):
        key.open(GO_NOTE.replace("answer", "Answer"))
    with pytest.raises(BadNote, match="carries no signature of the key PeterNeumann"):
        key.open(signer.sign(GO_TEXT))
    for broken in ("", GO_TEXT, GO_NOTE[:-1], GO_NOTE.replace(" ", "")):
        with pytest.raises(BadNote):
            key.open(broken)


def test_a_note_may_carry_signatures_of_others_too(signer: Signer) -> None:
    both = GO_NOTE + signer.sign(GO_TEXT).rpartition("\n\n")[2]
    assert signer.verifier.open(both) == VerifierKey.parse(GO_KEY).open(both) == GO_TEXT


@pytest.mark.parametrize("text", ["", "x", "a+b+c", GO_KEY.replace("c74f", "0000"), GO_KEY[:-4], "+" + GO_KEY])
def test_what_is_not_a_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey, match="audit key"):
        VerifierKey.parse(text)


def test_a_checkpoint_comes_back_as_it_was_signed(signer: Signer) -> None:
    assert Checkpoint.opened(signer.sign(str(CHECKPOINT)), signer.verifier) == CHECKPOINT
    assert str(CHECKPOINT).splitlines()[:3] == [
        "ordersaga/counting",
        "7",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ]


def test_another_form_of_the_same_checkpoint_is_refused(signer: Signer) -> None:
    for text in (str(CHECKPOINT).replace("\n7\n", "\n07\n"), str(CHECKPOINT) + "more of it\n", GO_TEXT):
        with pytest.raises(BadNote):
            Checkpoint.opened(signer.sign(text), signer.verifier)


@pytest.mark.parametrize(("xid", "seen"), [(4, True), (5, False), (6, True), (7, False), (8, False), (90, False)])
def test_a_snapshot_sees_what_was_committed(xid: int, seen: bool) -> None:
    assert Snapshot("5:8:5,7").sees(xid) is seen


def test_a_leaf_comes_back_and_has_one_form() -> None:
    leaf = Leaf(uuid4(), 3, 'a "topic"\n', bytes(32), microseconds(datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)), 9)
    for each in (leaf, leaf._replace(xid=7)):
        assert Leaf.parse(each.line()) == each
    assert b"\n" not in leaf.line()
    for other in (leaf.line() + b" ", leaf.line().replace(b",9]", b",9.0]"), b"[]", b"{}", b"null", b""):
        with pytest.raises(ValueError, match=r"."):
            Leaf.parse(other)
