"""What a configuration names things by is valid once it exists."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.addresses import Address, FilePath, Name, Url, host_name
from sidecar.provider import Origin


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:15080", "127.0.0.1", 15080, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("[::1]:80", "::1", 80, True),
        ("localhost:0", "localhost", 0, True),
        ("0.0.0.0:15089", "0.0.0.0", 15089, False),
        ("[::]:15089", "::", 15089, False),
        ("10.0.0.7:443", "10.0.0.7", 443, False),
    ],
)
def test_an_address_is_taken_apart(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("15080", "has no port"),
        ("[::1]", "has no port"),
        (":15080", "has no IP address"),
        ("*:15080", "has no IP address"),
        ("::1:15080", "has no IP address"),
        ("sidecar:15080", "has no IP address"),
        ("127.0.0.1:http", "has a port that is not a number from 0 to 65535"),
        ("127.0.0.1:70000", "has a port that is not a number from 0 to 65535"),
    ],
)
def test_what_is_no_address_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Address(text)


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://api.openai.com", Origin("https", "api.openai.com", 443), ""),
        ("https://API.OpenAI.com/", Origin("https", "api.openai.com", 443), ""),
        ("https://openrouter.ai/api/", Origin("https", "openrouter.ai", 443), "/api"),
        ("http://vllm:8000/v1/x", Origin("http", "vllm", 8000), "/v1/x"),
        ("http://[::1]:9", Origin("http", "::1", 9), ""),
        ("http://10.1.2.3", Origin("http", "10.1.2.3", 80), ""),
    ],
)
def test_a_url_is_taken_apart(text: str, origin: Origin, path: str) -> None:
    url = Url(text)
    assert (url.origin, url.path) == (origin, path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("api.openai.com", "is not a URL"),
        ("wss://api.openai.com", "is neither https nor http"),
        ("https://a:b@api.openai.com", "carries a user name"),
        ("https://api.openai.com?x=1", "has a query or a fragment"),
        ("https://api.openai.com/#x", "has a query or a fragment"),
        ("https://", "has no valid host name"),
        ("https://a b", "has no valid host name"),
        ("https://1.2.3.400", "has no valid host name"),
        ("https://münchen.example", "has a host that is not ASCII"),
        ("https://api.openai.com:0", "has a port that is not a number from 1 to 65535"),
        ("https://api.openai.com/a b", "has a path with characters that do not belong there"),
        ("https://::1/", "has no valid host name"),
    ],
)
def test_what_is_no_url_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Url(text)


@pytest.mark.parametrize("text", ["openai", "my-gpt", "a", "4o", "a" * 40])
def test_a_name_may_stand_in_a_path(text: str) -> None:
    assert Name(text) == text


@pytest.mark.parametrize(
    ("text", "proposal"), [("OpenAI", "openai"), ("my_gpt", "my-gpt"), ("-a-", "a"), ("a b/c", "a-b-c")]
)
def test_another_name_is_refused_with_one_that_may(text: str, proposal: str) -> None:
    with pytest.raises(ValueError, match="is not a name") as raised:
        Name(text)
    assert raised.value.args[1] == f"write {proposal}"
    assert Name(proposal) == proposal


def test_a_path_begins_at_the_root_or_at_home() -> None:
    assert str(FilePath("~/ca.crt").under("/home/me")) == "/home/me/ca.crt"
    assert str(FilePath("/etc/ca.crt").under("/home/me")) == "/etc/ca.crt"
    with pytest.raises(ValueError, match="relative"):
        FilePath("ca.crt")


@pytest.mark.parametrize(
    ("text", "host"),
    [("API.Example.COM.", "api.example.com"), ("[::0001]", "::1"), ("::1", "::1"), ("_dns.x", "_dns.x")],
)
def test_hosts_are_compared_in_one_spelling(text: str, host: str) -> None:
    assert host_name(text) == host


@pytest.mark.parametrize("kind", [Address, Url, Name, FilePath, host_name])
@given(text=st.text() | st.from_regex(r"\A(https?://)?[\[\]:.%a-z0-9-]{0,20}(:[0-9]{1,6})?\Z"))
def test_no_text_makes_them_raise_anything_but_value_errors(kind: Callable[[str], str], text: str) -> None:
    assert 1 <= len(reasons(kind, text)) <= 2


def reasons(kind: Callable[[str], str], text: str) -> tuple[object, ...]:
    try:
        return (kind(text),)
    except ValueError as error:
        return error.args
