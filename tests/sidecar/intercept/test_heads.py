"""What a request's head says, and when it is known again."""

import pytest

from sidecar.intercept.head import CannotServe, PriorHead, RequestHead, read_head
from sidecar.intercept.incoming import SMALL_BYTES


def head(*fields: str, line: str = "POST /lab/x HTTP/1.1") -> bytes:
    return "\r\n".join((line, *fields, "")).encode("latin-1")


def test_a_head_is_read() -> None:
    read = read_head(head("Host: agent", "X-A: 1", "Content-Length: 5"))
    assert (read.method, read.target, read.length) == ("POST", "/lab/x", 5)
    assert read.headers.fields == ((b"Host", b"agent"), (b"X-A", b"1"), (b"Content-Length", b"5"))


AS_USUAL = RequestHead("POST", "/lab/x", read_head(head()).headers, 0, False, True, False, False)


@pytest.mark.parametrize(
    ("fields", "line", "says"),
    [
        ((), "POST /lab/x HTTP/1.1", {}),
        ((), "POST /lab/x HTTP/1.0", {"http_1_0": True, "keep_alive": False}),
        (("Connection: keep-alive",), "POST /lab/x HTTP/1.0", {"http_1_0": True, "keep_alive": False}),
        (("Connection: keep-alive",), "POST /lab/x HTTP/1.1", {}),
        (("connection: X, Close",), "POST /lab/x HTTP/1.1", {"keep_alive": False}),
        (("Connection: close", "Connection: keep-alive"), "POST /lab/x HTTP/1.1", {"keep_alive": False}),
        (("Content-Length: 70000",), "POST /lab/x HTTP/1.1", {"length": 70_000}),
        (("Transfer-Encoding: Chunked",), "POST /lab/x HTTP/1.1", {"length": -1}),
        (("Transfer-Encoding: chunked", "Content-Length: 5"), "POST /lab/x HTTP/1.1", {"length": -1}),
        (("Content-Length: 5", "Transfer-Encoding: chunked"), "POST /lab/x HTTP/1.1", {"length": -1}),
        (("Expect: 100-Continue",), "POST /lab/x HTTP/1.1", {"invited": True}),
        (("Expect: 100-continue",), "POST /lab/x HTTP/1.0", {"http_1_0": True, "keep_alive": False}),
        (("Expect: the worst",), "POST /lab/x HTTP/1.1", {}),
        (("Upgrade: WebSocket", "Connection: keep-alive, Upgrade"), "POST /lab/x HTTP/1.1", {"socket": True}),
        (("Upgrade: websocket",), "POST /lab/x HTTP/1.1", {}),
        (("Connection: upgrade",), "POST /lab/x HTTP/1.1", {}),
        (("Upgrade: h2c", "Connection: upgrade"), "POST /lab/x HTTP/1.1", {}),
    ],
)
def test_what_a_head_says_of_its_body_and_its_connection(
    fields: tuple[str, ...], line: str, says: dict[str, object]
) -> None:
    read = read_head(head("Host: agent", *fields, line=line))
    assert read._replace(headers=AS_USUAL.headers) == AS_USUAL._replace(**says)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "fields", "status", "reason"),
    [
        ("GET /x HTTP/2.0", (), 505, "HTTP/2.0 is not spoken here"),
        ("GET /x RTSP/1.0", (), 505, "RTSP/1.0 is not spoken here"),
        ("GET /x", (), 400, "not a method, a target and a version"),
        ("GET  /x HTTP/1.1", (), 400, "not a method, a target and a version"),
        ("CONNECT a:443 HTTP/1.1", (), 400, "must be the first request"),
        ("POST /x HTTP/1.1", ("Transfer-Encoding: gzip",), 501, "'gzip' is not understood"),
        ("POST /x HTTP/1.1", ("Transfer-Encoding: gzip, chunked",), 501, "'gzip, chunked' is not understood"),
    ],
)
def test_a_head_that_no_call_can_be_made_of_is_refused(
    line: str, fields: tuple[str, ...], status: int, reason: str
) -> None:
    with pytest.raises(CannotServe, match=reason) as refused:
        read_head(head(*fields, line=line))
    assert refused.value.status == status


def remembered(*fields: str) -> PriorHead | None:
    data = head("Host: agent", *fields)
    return PriorHead.of(data, read_head(data))


@pytest.mark.parametrize("after", [(), ("X-A: 1",)])
def test_a_head_is_known_again_with_another_length(after: tuple[str, ...]) -> None:
    prior = remembered("Content-Length: 5", *after)
    assert prior is not None
    for length in (0, 7, 65_536):
        again = head("Host: agent", f"Content-Length: {length}", *after) + b"\r\n"
        assert prior.end(again + b"GET") == len(again) - 4
        assert prior.length == length
        assert again[prior.fields_at :].startswith(b"Host: agent\r\n")


def test_a_head_without_a_body_is_known_again() -> None:
    prior = remembered("X-A: 1")
    assert prior is not None
    again = head("Host: agent", "X-A: 1") + b"\r\n"
    assert (prior.end(again), prior.length) == (len(again) - 4, 0)
    assert not prior.end(head("Host: agent", "X-A: 1", "X-B: 2") + b"\r\n")


@pytest.mark.parametrize("length", [SMALL_BYTES + 1, 99_999_999, "", "-1", "5 ", "+5"])
def test_a_length_that_is_unusual_or_large_is_left_to_the_parser(length: object) -> None:
    prior = remembered("Content-Length: 5")
    assert prior is not None
    assert not prior.end(head("Host: agent", f"Content-Length: {length}") + b"\r\n")


def test_a_head_that_is_not_whole_is_not_known_again() -> None:
    prior = remembered("Content-Length: 5", "X-A: 1")
    assert prior is not None
    whole = head("Host: agent", "Content-Length: 5", "X-A: 1") + b"\r\n"
    assert prior.end(whole)
    assert not any(prior.end(whole[:size]) for size in range(len(whole)))


@pytest.mark.parametrize("field", ["CONTENT-LENGTH: 5", "Content-Length:5", "Content-Length:  5", "Content-Length: 5 "])
def test_a_head_with_an_unusual_length_is_not_remembered(field: str) -> None:
    assert remembered(field) is None


def trace(digit: str) -> str:
    return f"00-{digit * 32}-{digit * 16}-01"


WITH_TRACE = pytest.mark.parametrize(
    "fields",
    [
        ("traceparent: {0}", "Content-Length: {1}", "X-A: 1"),
        ("X-A: 1", "Content-Length: {1}", "X-B: 2", "Traceparent: {0}", "X-C: 3"),
        ("Content-Length: {1}", "traceparent: {0}"),
        ("X-A: 1", "traceparent: {0}"),
    ],
)


@WITH_TRACE
def test_a_head_is_known_again_with_another_trace(fields: tuple[str, ...]) -> None:
    first = head("Host: agent", *(field.format(trace("a"), 5) for field in fields))
    read = read_head(first)
    prior = PriorHead.of(first, read)
    assert prior is not None
    for digit, length in (("b", 7), ("c", 65_536), ("a", 0)):
        again = head("Host: agent", *(field.format(trace(digit), length) for field in fields))
        assert prior.end(again + b"\r\nGET") == len(again) - 2
        assert prior.length in (length, 0)
        place = prior.template.trace
        assert place is not None
        assert again[prior.fields_at :][place] == trace(digit).encode()
        whole = again + b"\r\n"
        assert not any(prior.end(whole[:size]) for size in range(len(whole)))


@WITH_TRACE
@pytest.mark.parametrize(
    "value", [trace("A"), trace("a")[:-1], trace("a") + "0", trace("a")[:-3] + "\r\nX", "", " " * 55]
)
def test_a_trace_that_is_none_is_left_to_the_parser(fields: tuple[str, ...], value: str) -> None:
    first = head("Host: agent", *(field.format(trace("a"), 5) for field in fields))
    prior = PriorHead.of(first, read_head(first))
    assert prior is not None
    assert not prior.end(head("Host: agent", *(field.format(value, 5) for field in fields)) + b"\r\n")
