"""What references stand for is used and never shown."""

from pathlib import Path

import pytest

from sidecar.configuration import Configuration, InvalidConfiguration, load, providers
from sidecar.configuration.reference import Missing, Unresolved, refers, resolved
from sidecar.provider import Secret

SECRET = "sk-live-0123456789"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${env:A}", "a"),
        ("x-${env:A}-${env:B}-y", "x-a-b-y"),
        ("$${env:A}", "${env:A}"),
        ("$${ ${env:A}", "${ a"),
        ("$ {env:A} $5", "$ {env:A} $5"),
        ("${env:EMPTY}", ""),
        ("${env:NESTED}", "${env:A}"),
    ],
)
def test_references_stand_anywhere_in_a_text(text: str, value: str) -> None:
    assert resolved(text, {"A": "a", "B": "b", "EMPTY": "", "NESTED": "${env:A}"}) == value


@pytest.mark.parametrize(
    "text", ["${A}", "${env:}", "${env:A", "${}", "${env:A=B}", "${file:}", "${file:a}", "${vault:x}"]
)
def test_what_looks_like_a_reference_and_is_none_is_refused(text: str) -> None:
    assert refers(text)
    with pytest.raises(Unresolved) as raised:
        resolved(text, {"A": "a"})
    assert not isinstance(raised.value, Missing)


def test_an_escape_is_no_reference() -> None:
    assert not refers("$${env:A}")
    assert not refers("a$b{c}")


def test_a_file_gives_its_text_without_the_last_line_end(tmp_path: Path) -> None:
    for content, value in {b"key\n": "key", b"key\r\n": "key", b"key": "key", b"a\nb\n\n": "a\nb\n", b"": ""}.items():
        (tmp_path / "secret").write_bytes(content)
        assert resolved(f"${{file:{tmp_path}/secret}}", {}) == value
        assert resolved("${file:~/secret}", {"HOME": str(tmp_path)}) == value


def test_a_file_that_is_no_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    reasons = {
        "": "there is no file",
        "/gone": "there is no file",
        "/binary": "not UTF-8",
        "/large": "larger than 65536",
    }
    for name, reason in reasons.items():
        with pytest.raises(Unresolved, match=reason):
            resolved(f"${{file:{tmp_path}{name}}}", {})
    with pytest.raises(Unresolved, match="there is no file /dev/zero"):
        resolved("${file:/dev/zero}", {})
    with pytest.raises(Unresolved):
        resolved("${file:/a\0b}", {})


def loaded(tmp_path: Path, text: str) -> Configuration:
    (tmp_path / "key").write_text(f"{SECRET}\n", encoding="utf-8")
    (tmp_path / "sidecar.yaml").write_text(text.replace("DIR", str(tmp_path)), encoding="utf-8")
    environ = {"KEY": SECRET, "WITH_LINE_END": f"{SECRET}\n", "HOST": f"{SECRET}.example"}
    return load(tmp_path / "sidecar.yaml", environ)


@pytest.mark.parametrize("reference", ["${env:KEY}", "${env:WITH_LINE_END}", "${file:DIR/key}"])
def test_a_secret_is_used_and_not_shown(reference: str, tmp_path: Path) -> None:
    configuration = loaded(tmp_path, f"providers: {{openai: {{credential: '{reference}'}}}}")
    provider = providers(configuration)["openai"]
    assert provider.credential == Secret(SECRET)
    shown = configuration.effective["providers"]["openai"]["credential"]
    assert shown == reference.replace("DIR", str(tmp_path))
    texts = (configuration, configuration.settings, configuration.effective, configuration.provenance, provider)
    assert not any(SECRET in f"{each!r}{each!s}" for each in texts)


def test_references_in_other_texts_are_not_shown_either(tmp_path: Path) -> None:
    configuration = loaded(
        tmp_path,
        "providers: {openai: {url: 'https://${env:HOST}/x', hosts: ['${env:HOST}']}}\n"
        "plugins: [{use: cache, config: {dsn: 'redis://:${env:KEY}@cache', more: ['${env:KEY}']}}]",
    )
    assert configuration.settings.providers["openai"].url == f"https://{SECRET}.example/x"
    assert configuration.settings.plugins[0].config["dsn"] == "redis://:${env:KEY}@cache"
    assert configuration.effective["providers"]["openai"]["url"] == "https://${env:HOST}/x"
    assert SECRET not in f"{configuration.effective!r}{configuration.settings.plugins!r}{configuration.provenance!r}"


@pytest.mark.parametrize(
    "text",
    [
        "providers: {openai: {url: '${env:KEY}'}}",
        "providers: {openai: {hosts: ['https://${env:KEY}']}}",
        "providers: {openai: {dialect: '${env:KEY}'}}",
        "providers: {openai: {port: '${env:KEY}'}}",
        "shutdown: {grace: '${env:KEY}'}",
        "log: {level: '${env:KEY}'}",
        "listen: {address: '${env:KEY}'}",
        "plugins: [{use: '${env:HOST}'}]",
        "forward: {deny: ['${env:KEY}/8']}",
        "forward: {deny: ['*.${env:KEY} ']}",
    ],
)
def test_what_a_reference_stands_for_is_not_shown_where_it_does_not_fit(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        loaded(tmp_path, text)
    assert SECRET not in f"{raised.value}{raised.value.problems!r}"


def test_what_is_only_missing_here_can_be_told_from_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        loaded(tmp_path, "providers: {openai: {credential: '${env:GONE}', url: '${env:GONE', port: 0}}")
    assert [problem.missing for problem in raised.value.problems] == [True, False, False]
