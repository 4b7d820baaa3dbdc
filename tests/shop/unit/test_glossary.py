"""The documents and the dashboard keep to the words of docs/GLOSSARY.md."""

import re
from pathlib import Path

import pytest

from devstack.state import ROOT

GLOSSARY = ROOT / "docs" / "GLOSSARY.md"
DASHBOARD = ROOT / "projections" / "dashboard"
DOCUMENTS = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {GLOSSARY, ROOT / "CHANGELOG.md"}
"""The changelog names what was renamed."""
PAGES = [file for kind in ("py", "js") for file in DASHBOARD.rglob(f"*.{kind}")]
TERM = re.compile(r"^\| (?P<term>[^|]+) \| (?P<means>[^|]+) \| (?P<rejected>[^|]+) \|$", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", re.DOTALL)
WORD = re.compile(r"`([^`]+)`")


def terms() -> list[tuple[str, str, str]]:
    """(term, meaning, rejected words) of every row but the headings."""
    rows = [(row["term"], row["means"], row["rejected"]) for row in TERM.finditer(GLOSSARY.read_text())]
    return [row for row in rows if row[0] not in ("term", "---")]


def rejected() -> list[str]:
    """The rejected words that stand in code, so that they can be searched for."""
    return sorted({word for _, _, words in terms() for word in WORD.findall(words)})


def found(words: list[str], text: str) -> list[str]:
    """Those of the words that the text has as words of their own, outside of code, addresses and identifiers."""
    return [word for word in words if re.search(rf"\b{re.escape(word)}\b", CODE.sub(" ", text), re.IGNORECASE)]


def test_each_term_is_defined_once_in_one_sentence_with_the_words_that_are_not_used() -> None:
    names = [term for term, _, _ in terms()]
    assert len(names) == len(set(names)) >= 40
    assert [term for term, means, words in terms() if ". " in means or not words.strip()] == []


@pytest.mark.parametrize("file", sorted({*DOCUMENTS, *PAGES}), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_document_and_no_page_has_a_word_that_the_glossary_rejects(file: Path) -> None:
    assert found(rejected(), file.read_text()) == []


def test_a_rejected_word_is_found_as_a_word_and_not_in_code() -> None:
    assert found(["story"], "An order's Story, in history") == ["story"]
    assert found(["story"], "`story` at [history](docs/story.png), test_a_story\n```\nstory\n```") == []
