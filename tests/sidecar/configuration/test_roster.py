"""The providers that a configuration makes."""

from pathlib import Path

import pytest

from sidecar.configuration import Configuration, hosts, load, providers
from sidecar.configuration.roster import NOWHERE
from sidecar.hosts import Hosts
from sidecar.provider import Origin, Provider, Timeouts


def configured(tmp_path: Path, text: str) -> Configuration:
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    return load(tmp_path / "c.yaml", {"KEY": "k"})


def owner(configuration: Configuration, host: str) -> Provider | None:
    return Hosts(hosts(configuration, providers(configuration))).find(host)


def test_a_provider_is_made_of_its_settings(tmp_path: Path) -> None:
    text = """
upstream: {timeouts: {total: 10m}}
providers:
  vllm:
    url: http://vllm:8000/base/
    dialect: openai
    credential: ${env:KEY}
    propagate_trace: true
    timeouts: {connect: 1s}
"""
    provider = providers(configured(tmp_path, text))["vllm"]
    assert (provider.origin, provider.path) == (Origin("http", "vllm", 8000), "/base")
    assert provider.timeouts == Timeouts(connect=1.0, total=600.0)
    assert provider.credential is not None
    assert provider.credential.reveal == "k"
    assert provider.propagate_trace


def test_providers_of_one_dialect_share_it() -> None:
    built = providers(load())
    dialect = built["openai"].dialect
    assert dialect is not None
    assert dialect is built["xai"].dialect
    assert dialect.recognise("POST", "/v1/chat/completions", "") is not None


def test_a_provider_that_is_switched_off_is_not_there(tmp_path: Path) -> None:
    configuration = configured(tmp_path, "providers: {openai: {enabled: false}}")
    assert "openai" not in providers(configuration)
    assert owner(configuration, "api.openai.com") is None


def test_a_provider_without_a_url_is_nowhere_by_itself() -> None:
    assert providers(load())["azure-openai"].origin == NOWHERE


def test_hosts_default_to_the_urls_unless_it_is_loopback(tmp_path: Path) -> None:
    text = "providers: {a: {url: 'https://llm.example.com'}, b: {url: 'http://localhost:8000'}}"
    configuration = configured(tmp_path, text)
    found = owner(configuration, "llm.example.com")
    assert found is not None
    assert found.name == "a"
    assert owner(configuration, "localhost") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("providers: {spare: {url: 'https://api.openai.com'}}", "openai"),
        ("providers: {mine: {url: 'https://llm.example.com', hosts: [api.openai.com]}}", "mine"),
        ("providers: {openai: {url: 'https://llm.example.com'}}", "openai"),
        ("providers: {openai: {hosts: []}, spare: {url: 'https://api.openai.com'}}", "spare"),
    ],
)
def test_a_host_belongs_to_whom_the_file_gives_it_first(text: str, name: str, tmp_path: Path) -> None:
    found = owner(configured(tmp_path, text), "api.openai.com")
    assert found is not None
    assert found.name == name
