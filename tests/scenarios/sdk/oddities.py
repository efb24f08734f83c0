"""Requests and answers that are valid HTTP, though no SDK sends them and hardly a provider. Credentials are dummies."""

import gzip
from typing import NamedTuple

_HEAD = b"Host: api.openai.com\r\nAuthorization: Bearer sk-dummy\r\n"
_JSON = b'{"model": "gpt-4.1-mini",  "messages": [], "unknown": "\xd0\x9f"}'
_ZIPPED = gzip.compress(_JSON, mtime=0)
_LARGE = bytes(range(256)) * 4096
_POST = b"POST /v1/chat/completions HTTP/1.1\r\n"


def _measured(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


#: To OpenAI's host, by what is odd about them.
REQUESTS: dict[str, bytes] = {
    "header case": _POST + b"hOST: api.openai.com\r\nAUTHORIZATION: Bearer sk-dummy\r\nx-ODD: a\r\n" + _measured(_JSON),
    "host last": _POST + b"X-First: 1\r\ncontent-length: 2\r\nHost: api.openai.com\r\n\r\n{}",
    "repeated fields": _POST + _HEAD + b"X-Twice: 1\r\nCookie: a=1\r\nX-Twice: 2\r\nCookie: b=2\r\n" + _measured(_JSON),
    "empty value": _POST + _HEAD + b"X-Empty:\r\nX-Blank: \r\n" + _measured(_JSON),
    "inner blanks": _POST + _HEAD + b"X-Blanks:  two  words \t\r\n" + _measured(_JSON),
    "latin-1 value": _POST + _HEAD + b"X-Name: Andr\xe9\r\n" + _measured(_JSON),
    "utf-8 value": _POST + _HEAD + "X-Name: Привет\r\n".encode() + _measured(_JSON),
    "long value": _POST + _HEAD + b"X-Long: " + b"v" * 20_000 + b"\r\n" + _measured(_JSON),
    "many fields": _POST + _HEAD + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(300)) + _measured(_JSON),
    "nominated fields": _POST
    + b"Host: api.openai.com\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nKeep-Alive: timeout=5\r\n"
    + _measured(_JSON),
    "fields of a hop": _POST
    + _HEAD
    + b"TE: trailers\r\nProxy-Connection: keep-alive\r\nX-End: 2\r\n"
    + _measured(_JSON),
    "percent-encoding": b"GET /v1/files/a%2Fb%20c%zz?q=%D0%9F&plus=+&q=1#no HTTP/1.1\r\n".replace(b"#no", b"")
    + _HEAD
    + b"\r\n",
    "dots and slashes": b"GET //v1/./a/../b//c/;p=1?a&b=&=c? HTTP/1.1\r\n" + _HEAD + b"\r\n",
    "empty query": b"GET /v1/models? HTTP/1.1\r\n" + _HEAD + b"\r\n",
    "root": b"GET / HTTP/1.1\r\n" + _HEAD + b"\r\n",
    "body of a GET": b"GET /v1/models HTTP/1.1\r\n" + _HEAD + _measured(_JSON),
    "DELETE": b"DELETE /v1/files/f1 HTTP/1.1\r\n" + _HEAD + b"\r\n",
    "PATCH": b"PATCH /v1/files/f1 HTTP/1.1\r\n" + _HEAD + _measured(_JSON),
    "OPTIONS": b"OPTIONS /v1/models HTTP/1.1\r\n" + _HEAD + b"Origin: https://a.example\r\n\r\n",
    "empty body": _POST + _HEAD + b"Content-Length: 0\r\n\r\n",
    "no body": _POST + _HEAD + b"\r\n",
    "content coding": _POST + _HEAD + b"Content-Encoding: gzip\r\n" + _measured(_ZIPPED),
    "no JSON at all": _POST + _HEAD + b"Content-Type: application/json\r\n" + _measured(b"{\x00\xff"),
    "large body": _POST + _HEAD + _measured(_LARGE),
    "chunks": _POST + _HEAD + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;x=y\r\n": 1\r\n1\r\n}\r\n0\r\n\r\n',
    "chunks and trailers": _POST
    + _HEAD
    + b"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n",
    "coding in capitals": _POST + _HEAD + b"Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "expectation": _POST + _HEAD + b"Expect: 100-continue\r\n" + _measured(_JSON),
    "own names": _POST + _HEAD + b"x-sidecar-request-id: mine\r\nServer-Timing: a;dur=1\r\n" + _measured(_JSON),
}


class Answer(NamedTuple):
    """What a provider says, on the wire, to *method*; ``closes``: the end of the connection is the end of it."""

    data: bytes
    closes: bool = False
    method: str = "POST"


_TYPED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"

ANSWERS: dict[str, Answer] = {
    "header case": Answer(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\nX-ODD-case: a\r\nx-request-ID: r1\r\n\r\n{}"),
    "repeated fields": Answer(
        _TYPED + b"Set-Cookie: a=1\r\nVary: A\r\nSet-Cookie: b=2\r\nVary: B\r\n" + _measured(b"{}")
    ),
    "empty value": Answer(_TYPED + b"X-Empty:\r\nX-Blank: \r\n" + _measured(b"{}")),
    "inner blanks": Answer(_TYPED + b"X-Blanks:  two  words \t\r\n" + _measured(b"{}")),
    "latin-1 value": Answer(_TYPED + b"X-Name: Andr\xe9\r\n" + _measured(b"{}")),
    "long value": Answer(_TYPED + b"X-Long: " + b"v" * 20_000 + b"\r\n" + _measured(b"{}")),
    "another reason": Answer(b"HTTP/1.1 200 All is well\r\n" + _measured(b"{}")),
    "latin-1 reason": Answer(b"HTTP/1.1 200 Tr\xe8s bien\r\n" + _measured(b"{}")),
    "empty reason": Answer(b"HTTP/1.1 200 \r\n" + _measured(b"{}")),
    "empty reason of an error": Answer(b"HTTP/1.1 429 \r\nRetry-After: 1\r\n" + _measured(b"{}")),
    "unknown status": Answer(b"HTTP/1.1 299 Odd\r\n" + _measured(b"{}")),
    "unknown error": Answer(b"HTTP/1.1 529 Overloaded\r\n" + _measured(b"{}")),
    "highest status": Answer(b"HTTP/1.1 999 Request denied\r\n" + _measured(b"{}")),
    "redirect": Answer(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://api.openai.com/v2\r\n" + _measured(b"")),
    "challenge": Answer(b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="a"\r\n' + _measured(b"{}")),
    "no content": Answer(b"HTTP/1.1 204 No Content\r\nX-Request-Id: r1\r\n\r\n"),
    "not modified": Answer(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 77\r\n\r\n', method="GET"),
    "answer to HEAD": Answer(_TYPED + b"Content-Length: 77\r\n\r\n", method="HEAD"),
    "answer in chunks to HEAD": Answer(_CHUNKED + b"\r\n", method="HEAD"),
    "empty body": Answer(_TYPED + _measured(b"")),
    "content coding": Answer(_TYPED + b"Content-Encoding: gzip\r\n" + _measured(_ZIPPED)),
    "content coding in chunks": Answer(
        _CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_ZIPPED), _ZIPPED)
    ),
    "chunks": Answer(_CHUNKED + b'\r\n6\r\ndata: \r\nA\r\n{"a": 1}\n\n\r\n0\r\n\r\n'),
    "chunk extensions": Answer(_CHUNKED + b"\r\n4;name=value;x\r\ndata\r\n0;last\r\n\r\n"),
    "trailers": Answer(_CHUNKED + b"Trailer: X-T\r\n\r\n4\r\ndata\r\n0\r\nX-T: 1\r\n\r\n"),
    "no chunk at all": Answer(_CHUNKED + b"\r\n0\r\n\r\n"),
    "until the end": Answer(
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: close\r\n\r\n\xff\xfbdata", closes=True
    ),
    "of the old kind": Answer(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n\xff\xfbdata", closes=True),
    "large body": Answer(_TYPED + _measured(_LARGE)),
    "large chunks": Answer(_CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_LARGE), _LARGE)),
    "interim answers": Answer(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _TYPED + _measured(b"{}")
    ),
    "nominated fields": Answer(
        _TYPED + b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n" + _measured(b"{}")
    ),
    "fields of a hop": Answer(
        _TYPED + b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\nX-End: 2\r\n" + _measured(b"{}")
    ),
    "timing of its own": Answer(_TYPED + b"Server-Timing: db;dur=5\r\nx-sidecar-provider: no\r\n" + _measured(b"{}")),
    "nothing but a length": Answer(b"HTTP/1.1 200 OK\r\n" + _measured(b"\x00\x01\x02")),
}
