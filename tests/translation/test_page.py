"""``docs/translation.md`` is what `python -m sidecar.translation` prints."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar import dialects
from sidecar.translation import __main__ as document
from sidecar.translation import chat, speech, transcription

COMMITTED = Path(__file__).parents[2] / "docs" / "translation.md"
OPERATIONS = {
    "Calls to language models": chat.expressible,
    "Calls to speak": speech.expressible,
    "Calls to transcribe": transcription.expressible,
}


@pytest.fixture(scope="module")
def page() -> str:
    return document.page()


def test_the_committed_page_is_what_is_found_out(page: str) -> None:
    assert COMMITTED.read_text(encoding="utf-8") == page, "python -m sidecar.translation > docs/translation.md"


def test_it_is_printed(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(RuntimeWarning, match="found in sys.modules"):
        runpy.run_module("sidecar.translation", run_name="__main__")
    assert capsys.readouterr().out == page


@pytest.mark.parametrize(("heading", "expressible"), OPERATIONS.items(), ids=OPERATIONS)
def test_everything_found_out_can_be_read_from_it(
    heading: str, expressible: Callable[[str, str], dict[str, str]], page: str
) -> None:
    _, _, section = page.partition(f"\n## {heading}\n")
    tables, _, remarks = section.partition("\n## ")[0].partition(
        f"\n### Remarks on {heading[0].lower()}{heading[1:]}\n"
    )
    said = dict(re.findall(r"^(\d+)\. (.*)$", remarks, re.MULTILINE))
    for source in dialects.names():
        pairs = {name: expressible(source, name) for name in dialects.names() if name != source}
        _, found, text = tables.partition(f"\n### {heading} in `{source}`\n")
        assert bool(found) == any(pairs.values())
        if found:
            read = _read(text.partition("\n### ")[0], said)
            for target, told in pairs.items():
                assert {name: read(name, target) for name in told} == told, (source, target)


def _read(text: str, remarks: dict[str, str]) -> Callable[[str, str], str]:
    """What a reader sees in one table, by feature and target."""
    everywhere = re.search(r"^All others have: (.*?)\.\n\n", f"{text}\n\n", re.MULTILINE | re.DOTALL)
    common = everywhere[1].replace("\n", " ").replace("\\", "").replace("&lt;", "<").split("; ") if everywhere else []
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if "|" in line]
    columns = [cell.strip("`") for cell in rows[0]] if rows else []
    cells = {(_unescaped(row[0]), column): cell for row in rows[2:] for column, cell in zip(columns, row, strict=True)}

    def read(feature: str, target: str) -> str:
        if feature in common:
            return "yes"
        yes, number = re.fullmatch(r"(yes)? ?(?:\[(\d+)\])?", cells[feature, target]).groups()  # type: ignore[union-attr]
        return ", ".join(filter(None, (yes, _unescaped(remarks[number]) if number else "")))

    return read


def _unescaped(text: str) -> str:
    return text.replace("\\|", "|").replace("\\*", "*").replace("&lt;", "<")
