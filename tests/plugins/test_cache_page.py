"""docs/cache.md says what the cache leaves out of keys, and what can be set.

``python -m tests.plugins.test_cache_page`` writes its tables anew.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sidecar_cache.config import CacheConfig
from sidecar_cache.rules import left_out, refused_endpoints
from sidecar_cache.rules.endpoint import Row

from sidecar.cli.keys import keys, plain

PAGE = Path(__file__).parents[2] / "docs" / "cache.md"


def rules_table(rows: tuple[Row, ...]) -> str:
    """One line for what is left out in the same place for the same reason, wherever that is."""
    places: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        places[row.where, row.name, row.reason][row.endpoint].append(row.dialect)
    lines = ["| where | what | of | why |", "|---|---|---|---|"]
    for (where, name, reason), endpoints in places.items():
        of = "; ".join(
            "every call" if endpoint == "*" else f"{endpoint} of {', '.join(dialects)}"
            for endpoint, dialects in endpoints.items()
        )
        lines.append(f"| {where} | `{name}` | {of} | {reason} |")
    return "\n".join(lines)


def settings_table() -> str:
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for key in keys(CacheConfig):
        value = default_of(key.path, key.default)
        shown = "" if key.required else f"`{msgspec.json.encode(value).decode()}`"
        lines.append(f"| `{key.path}` | {shown} | {key.description} |")
    return "\n".join(lines)


def default_of(path: str, otherwise: Any) -> Any:
    """What holds if nothing is written; *otherwise* within a section that there is not then."""
    value: Any = CacheConfig()
    for name in path.split("."):
        if not hasattr(value, name):
            return otherwise
        value = getattr(value, name)
    return plain(value)


TABLES = {
    "What a key says nothing of": lambda: rules_table(left_out()),
    "Calls without a key": lambda: rules_table(refused_endpoints()),
    "Settings": settings_table,
}


def section(title: str) -> str:
    found = re.search(rf"^##+ {title}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


@pytest.mark.parametrize("title", TABLES)
def test_the_tables_say_what_is(title: str) -> None:
    assert TABLES[title]() in section(title), "python -m tests.plugins.test_cache_page writes them anew"


def test_every_reason_for_a_verdict_is_explained() -> None:
    """The reasons that the cache gives for misses and skips stand where somebody looks for them."""
    for reason in (
        "nothing kept under this key",
        "nearest key differs in",
        "what is kept is out of date",
        "the agent forbids it",
        "such answers are not kept",
        "the request's body streams past",
        "calls come in a flood, and none of them comes again",
        "only what is kept was asked for",
        "differ from fresh ones too often",
        "the same is being asked already",
        "the provider failed",
    ):
        assert reason in PAGE.read_text(encoding="utf-8"), reason
        assert reason in (Path(__file__).parents[2] / "plugins/sidecar_cache/plugin.py").read_text(encoding="utf-8")


def written() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for title, made in TABLES.items():
        before, heading, rest = text.partition(f"# {title}\n")
        shown = re.search(r"^\|.*\n(\|.*\n)*", rest, re.MULTILINE)
        assert shown is not None, title
        text = f"{before}{heading}{rest[: shown.start()]}{made()}\n{rest[shown.end() :]}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    written()
