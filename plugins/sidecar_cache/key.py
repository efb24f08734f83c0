"""Which calls are the same call. No I/O.

Two calls are the same if everything that could change the answer is: provider, path and query, every header that is not
known to be noise (the credential among them, so that tenants never meet), and the content of the body: JSON by its
values whatever its spacing and order of members, forms by their fields whatever their boundary, all else by its bytes.
"""

import hashlib
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from sidecar import Exchange, Headers, Operation, Provider
from sidecar.multipart import parse

#: Headers that change nothing about the answer; they differ from call to call or from one client library to the next.
NOISE: Final = frozenset(
    (
        b"baggage",
        b"cache-control",
        b"connection",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"idempotency-key",
        b"keep-alive",
        b"pragma",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"user-agent",
        b"x-client-request-id",
        b"x-deepgram-session-id",
        b"x-goog-api-client",
        b"x-request-id",
    )
)
_NOISY_PREFIXES: Final = (b"x-stainless-", b"x-fern-")
_OPERATIONS: Final = frozenset((Operation.STT, Operation.TTS, Operation.CHAT))
#: Members of a request whose answer is stored at the provider, built on what is, or sent elsewhere.
_STATEFUL: Final = frozenset(
    (
        "previous_response_id",
        "previous_interaction_id",
        "previousInteractionId",
        "conversation",
        "background",
        "container",
        "cachedContent",
    )
)
#: Endpoints that answer with the name of a job: its fate is not known yet.
_DEFERRED: Final = frozenset(("transcript", "speech.longrunningrecognize", "stt.v3.recognizeFileAsync"))
_QUERIES_AWAY: Final = ("callback=", "webhook=true")
#: Bodies whose spelling is remembered: at most so large, and what they and their keys hold together.
_SPELLING_BYTES, _SPELLINGS_BYTES, _SPELLING_OVERHEAD_BYTES = 16 * 1024, 1024 * 1024, 400


class Unsuitable(Exception):
    """A call that is not to be answered from a cache; the message says why."""


class Head(NamedTuple):
    """What the headers of a request mean for the cache."""

    digest: bytes
    """Of everything in them that could change the answer."""
    content_type: str
    media_type: str
    no_store: bool
    no_cache: bool


def read_head(headers: Headers) -> Head:
    """*headers* as the cache sees them. Of a head that comes again on its connection, this is remembered."""
    template = headers.template
    if template is None:
        return _read_head(headers)
    known = template.memo.get(Head)
    if not isinstance(known, Head):
        known = template.memo[Head] = _read_head(headers)
    return known


def _read_head(headers: Headers) -> Head:
    telling = sorted(
        (lower, value)
        for name, value in headers.fields
        if (lower := name.lower()) not in NOISE and not lower.startswith(_NOISY_PREFIXES)
    )
    content_type = headers.get("content-type") or ""
    control = (headers.get("cache-control") or "").lower()
    return Head(
        hashlib.sha256(b"\0".join(b"%b:%b" % field for field in telling)).digest(),
        content_type,
        content_type.partition(";")[0].strip().lower(),
        "no-store" in control,
        "no-cache" in control,
    )


class Opening(NamedTuple):
    """All of a call but its body."""

    provider: Provider
    target: str
    secret: bytes
    digest: bytes
    """Of what it says; *secret* keeps others from guessing what was said."""


def opening_of(exchange: Exchange, head: Head, secret: bytes) -> Opening:
    """What the key of a call begins with; of a head that comes again this is remembered.

    Raises:
        Unsuitable: whatever its body says, such a call has no key.
    """
    provider, target, template = exchange.provider, exchange.request.target, exchange.request.headers.template
    if template is not None:
        known = template.memo.get(Opening)
        if isinstance(known, Opening) and known[:3] == (provider, target, secret):
            return known
    call = exchange.call
    if call is None or call.operation not in _OPERATIONS or exchange.request.method != "POST":
        raise Unsuitable("not a call whose answer depends on its request alone")
    if call.endpoint in _DEFERRED:
        raise Unsuitable("the answer is a job that has only begun")
    if "?" in target and any(away in target for away in _QUERIES_AWAY):
        raise Unsuitable("the answer goes elsewhere")
    # by its place too: one name may stand for many servers, as that of a cloud whose customers have hosts of their own
    place = (
        f"{provider.name}\0{provider.origin.host}:{provider.origin.port}{provider.path}\0{target}\0{head.media_type}\0"
    )
    digest = hashlib.sha256(secret + head.digest + place.encode()).digest()
    found = Opening(provider, target, secret, digest)
    if template is not None:
        template.memo[Opening] = found
    return found


def cache_key(opening: Opening, head: Head, data: bytes) -> str:
    """32 hexadecimal digits that are the same for the same call. *data* is its body.

    Raises:
        Unsuitable: it is a call that has no such key.
    """
    digest = hashlib.sha256(opening.digest)  # processors have it built in: 3 times blake2b
    if head.media_type == "application/json" or head.media_type.endswith("+json"):
        digest.update(_canonical(data))
    elif head.media_type == "multipart/form-data":
        for part in _fields(head.content_type, data):
            digest.update(part)
    else:
        digest.update(head.content_type.encode())  # its parameters say what the bytes are: audio/l16; rate=16000
        digest.update(data)
    return digest.hexdigest()[:32]


class Spellings:
    """Keys by the very bytes of bodies: what is asked often is mostly spelled alike, and looking it up is a tenth of
    the work of reading it.
    """

    def __init__(self) -> None:
        self._keys: dict[tuple[bytes, str, bytes], str] = {}
        self._held_bytes = 0

    def recall(self, opening: Opening, head: Head, data: bytes) -> str | None:
        # by the whole content type: its parameters may say what the bytes are
        return self._keys.get((opening.digest, head.content_type, data)) if len(data) <= _SPELLING_BYTES else None

    def keep(self, opening: Opening, head: Head, data: bytes, key: str) -> None:
        size = len(data)
        if size > _SPELLING_BYTES:
            return
        if self._held_bytes + size > _SPELLINGS_BYTES:
            self._keys.clear()
            self._held_bytes = 0
        self._held_bytes += size + _SPELLING_OVERHEAD_BYTES
        self._keys[opening.digest, head.content_type, data] = key


def _canonical(data: bytes) -> bytes:
    """A JSON value whatever its spacing, order of members, escapes and spelling of whole numbers.

    Raises:
        Unsuitable: it is none, or asks for something that lives on at the provider.
    """
    try:
        value = _VALUES.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unsuitable("the request is not valid JSON") from None
    if isinstance(value, dict):
        if not _STATEFUL.isdisjoint(value) and any(value.get(name) for name in _STATEFUL):
            raise Unsuitable("the answer is part of a conversation that the provider keeps")
        if value.get("store"):
            raise Unsuitable("the provider is to keep the answer")
    return _SORTED.encode(value)


def _number(text: str) -> int | float:
    """``1.0`` as ``1``: clients differ in how they write a number.

    Raises:
        ValueError: it is too large to be told from others.
    """
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number


_VALUES = msgspec.json.Decoder(float_hook=_number)
_SORTED = msgspec.json.Encoder(order="deterministic")


def _fields(content_type: str, data: bytes) -> Iterable[bytes | memoryview]:
    """The fields of a form by name; those of one name keep their order. A file's name tells only its format.

    Raises:
        Unsuitable: it is no whole form.
    """
    form = parse(content_type, data)
    if not form.parts or not form.complete:
        raise Unsuitable("the request's form is not whole")
    for part in sorted(form.parts, key=lambda part: part.name):
        extension = "" if part.filename is None else part.filename.rpartition(".")[2].lower()
        head = f"\0{part.name}\0{extension}\0{part.content_type or ''}\0{len(part.data)}\0"
        yield head.encode()
        yield part.data
