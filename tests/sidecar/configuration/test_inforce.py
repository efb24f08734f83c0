"""What the host asks of a configuration: the plugins' own parts, and places for problems that only it can find."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct, field

from sidecar.configuration import Configuration, InvalidConfiguration, load
from sidecar.provider import Secret
from sidecar.units import Duration, Size


class Kind(Enum):
    MEMORY = "memory"
    REDIS = "redis"


class Near(Struct, tag="near", forbid_unknown_fields=True):
    distance: float = 0.5


class Exact(Struct, tag="exact", forbid_unknown_fields=True):
    fold_case: bool = False


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Kind = Kind.MEMORY
    size: Size = Size("64MiB")
    password: Secret | None = None


class Keeping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ttl: Annotated[Duration, Meta(description="How long.")] = Duration("1h")
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    mode: Literal["read", "write"] = "read"
    store: Store = Store()
    voices: dict[str, str] = field(default_factory=dict)
    headers: dict[str, Secret] = field(default_factory=dict)
    names: list[Annotated[str, Meta(min_length=2, pattern="^[a-z]+$")]] = field(default_factory=list)
    match: Near | Exact | None = None
    anything: Any = None
    pair: tuple[int, str] = (1, "a")

    def __post_init__(self) -> None:
        if self.mode == "write" and not self.voices:
            raise ValueError("mode write needs voices")


class Demanding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    model: str


def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str) -> Configuration:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(f"plugins:\n- use: tracing\n- use: cache\n  config: {config}\n", encoding="utf-8")
    return load("c.yaml", {"PASSWORD": "tip-top", "HOST": "cache.example"})


def test_a_plugin_gets_its_own_struct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = """
      ttl: 5m
      store: {kind: redis, size: 1GB, password: "${env:PASSWORD}"}
      voices: {alloy: "${env:HOST}", no: nova}
      headers: {x-key: "${env:PASSWORD}"}
      match: {type: near, distance: 1}
      anything: [1, {a: "${env:HOST}"}]
      pair: [2, b]
"""
    value = configured(tmp_path, monkeypatch, config).convert_plugin(1, Keeping)
    assert value == Keeping(
        ttl=Duration("5m"),
        store=Store(kind=Kind.REDIS, size=Size("1GB"), password=Secret("tip-top")),
        voices={"alloy": "cache.example", "no": "nova"},
        headers={"x-key": Secret("tip-top")},
        match=Near(distance=1.0),
        anything=[1, {"a": "cache.example"}],
        pair=(2, "b"),
    )
    assert "tip-top" not in repr(value)


def test_a_plugin_without_a_config_gets_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured(tmp_path, monkeypatch, "").convert_plugin(0, Keeping) == Keeping()
    assert load().convert_plugin(1, Keeping) == Keeping()


PROBLEMS = [
    (
        "{tttl: 5m}",
        "plugins[1].config.tttl: is not a setting; expected one of ttl, share, mode, store, voices, headers, "
        "names, match, anything, pair; did you mean ttl?",
    ),
    (
        "{ttl: 300}",
        "plugins[1].config.ttl: 300 has no unit; expected a duration with a unit, such as 300ms, 5s, 2m or "
        "1h30m; write 300s if seconds are meant, 300ms if milliseconds",
    ),
    ("{share: 2}", "plugins[1].config.share: 2 is out of range; expected a number from 0 to 1"),
    (
        "{share: .nan}",
        "plugins[1].config.share: .nan without quotes is a number to some readers of YAML and text to others; "
        "expected a number from 0 to 1; write it in plain decimal digits",
    ),
    ("{mode: raed}", 'plugins[1].config.mode: "raed" is not known; expected one of read, write; did you mean read?'),
    (
        "{store: {kind: disk}}",
        'plugins[1].config.store.kind: "disk" is not known; expected one of memory, redis; did you mean redis?',
    ),
    (
        "{store: {password: tip-top}}",
        "plugins[1].config.store.password: is not a reference; expected ${env:NAME} or "
        "${file:/path}; put the secret into a variable or a file and refer to it: secrets do not stand in a "
        "configuration",
    ),
    (
        "{headers: {x: tip-top}}",
        "plugins[1].config.headers.x: is not a reference; expected ${env:NAME} or ${file:/path}; "
        "put the secret into a variable or a file and refer to it: secrets do not stand in a configuration",
    ),
    (
        "{voices: {alloy: no}}",
        "plugins[1].config.voices.alloy: no without quotes is false to some readers of YAML and text "
        'to others; expected text; quote it if text is meant: "no"',
    ),
    (
        "{voices: {alloy: 5}}",
        'plugins[1].config.voices.alloy: 5 is a whole number; expected text; quote it if text is meant: "5"',
    ),
    ("{names: [ab, A]}", 'plugins[1].config.names[1]: "A" does not fit; expected text like ^[a-z]+$'),
    (
        "{match: {type: near, distance: far}}",
        'plugins[1].config.match.distance: "far" does not fit; expected `float`, got `str`',
    ),
    ("{match: {type: fuzzy}}", "plugins[1].config.match.type: \"fuzzy\" does not fit; invalid value 'fuzzy'"),
    ("{pair: [1, 2]}", "plugins[1].config.pair[1]: 2 does not fit; expected `str`, got `int`"),
    ("{mode: write}", "plugins[1].config: mode write needs voices"),
    ("[1]", "plugins[1].config: is a list; expected a mapping"),
]


@pytest.mark.parametrize(("config", "expected"), PROBLEMS)
def test_what_is_wrong_with_a_plugins_config_has_its_place(
    config: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        configured(tmp_path, monkeypatch, config).convert_plugin(1, Keeping)
    (problem,) = raised.value.problems
    assert str(problem).partition("\n")[0].partition(": ")[2] == expected
    assert (problem.file, problem.line) == ("c.yaml", 4)
    assert "tip-top" not in f"{raised.value}{raised.value.problems!r}"


def test_all_problems_of_a_plugins_config_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        configured(tmp_path, monkeypatch, "{share: x, ttl: 1, store: {kind: 5}}").convert_plugin(1, Keeping)
    assert [problem.path.rpartition(".")[2] for problem in raised.value.problems] == ["share", "ttl", "kind"]


def test_a_setting_that_a_plugin_must_have_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = configured(tmp_path, monkeypatch, "")
    with pytest.raises(InvalidConfiguration, match=r"c.yaml:2:3: plugins\[0\].config.model: is missing; expected text"):
        configuration.convert_plugin(0, Demanding)


def test_a_problem_that_only_the_host_finds_is_put_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configured(tmp_path, monkeypatch, "")
    problem = configuration.problem(("plugins", 1, "use"), 'nothing installed is named "cache"', "install it")
    assert str(problem) == (
        'c.yaml:3:8: plugins[1].use: nothing installed is named "cache"; install it\n  3 | - use: cache\n    |        ^'
    )
    assert str(load().problem(("plugins", 0, "use"), "is not installed")) == "default: plugins[0].use: is not installed"
