"""Hosts are found by name first and by the longest suffix then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.hosts import Destination, Destinations, HostPattern, Hosts

TABLE = Hosts(
    [
        ("api.example.com", "exact"),
        ("*.example.com", "suffix"),
        ("*.eu.example.com", "longer suffix"),
        ("::1", "address"),
        ("api.example.com", "too late"),
    ]
)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("api.example.com", "exact"),
        ("API.Example.com.", "exact"),
        ("www.example.com", "suffix"),
        ("a.b.example.com", "suffix"),
        ("x.eu.example.com", "longer suffix"),
        ("eu.example.com", "suffix"),
        ("example.com", None),
        ("badexample.com", None),
        ("[::1]", "address"),
        ("", None),
        ("com", None),
    ],
)
def test_a_host_is_found(host: str, found: str | None) -> None:
    assert TABLE.find(host) == found


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("API.Example.com", "api.example.com"),
        ("*.Example.com", "*.example.com"),
        ("10.0.0.1", "10.0.0.1"),
        ("::0001", "::1"),
    ],
)
def test_a_pattern_has_one_spelling(text: str, pattern: str) -> None:
    assert HostPattern(text) == pattern


@pytest.mark.parametrize(
    "text", ["*", "*.", "a.*.com", "*a.com", "https://a.com", "a.com:443", "a.com/x", "", "10.0.0.0/8"]
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        HostPattern(text)


DENIED = Destinations(
    Destination(text)
    for text in ("169.254.0.0/16", "fe80::/10", "metadata.google.internal", "*.corp.example", "10.1.2.3")
)


@pytest.mark.parametrize(
    ("host", "denied"),
    [
        ("169.254.169.254", True),
        ("::ffff:169.254.169.254", True),
        ("fe80::1", True),
        ("[fe80::1]", True),
        ("METADATA.google.internal.", True),
        ("a.corp.example", True),
        ("corp.example", False),
        ("10.1.2.3", True),
        ("10.1.2.4", False),
        ("127.0.0.1", False),
        ("api.openai.com", False),
        ("", False),
    ],
)
def test_destinations_are_names_and_networks(host: str, denied: bool) -> None:
    assert (host in DENIED) is denied


def test_a_star_is_everything() -> None:
    assert "anything.example" in Destinations([Destination("*")])
    assert "anything.example" not in Destinations([])


@pytest.mark.parametrize(
    ("text", "hint"), [("10.0.0.1/8", "zero: 10.0.0.0/8"), ("10.0.0.0/99", "10.0.0.0/8"), ("a.com/8", "10.0.0.0/8")]
)
def test_what_is_no_network_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is not a network") as raised:
        Destination(text)
    assert raised.value.args[1].endswith(hint)


@given(st.text())
def test_no_text_makes_them_raise_anything_but_value_errors(text: str) -> None:
    for kind in (HostPattern, Destination):
        assert 1 <= len(reasons(kind, text)) <= 2
    assert TABLE.find(text) is None or isinstance(TABLE.find(text), str)
    assert (text in DENIED) in (True, False)


def reasons(kind: type[HostPattern] | type[Destination], text: str) -> tuple[object, ...]:
    try:
        return (kind(kind(text)) == kind(text),)
    except ValueError as error:
        return error.args
