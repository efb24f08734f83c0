"""Which calls are the same call. No I/O.

Two calls are the same if everything that could change the answer is. It is taken apart into named parts (who asks, of
whom, each parameter, the text, the recording), and a call's key is made of the digests of all of them: whatever
`rules` do not leave out, with a reason, is in a part. Digests are keyed by a secret, so that nobody who sees them can
guess what was said.
"""

import hashlib
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from sidecar import Exchange, Headers, Operation, Provider
from sidecar.credentials import HEADERS as CREDENTIAL_HEADERS
from sidecar.credentials import QUERY as CREDENTIAL_QUERY
from sidecar_cache.freshness import Controls, controls_of
from sidecar_cache.rules import endpoint_of
from sidecar_cache.rules.bodies import Parts as BodyParts
from sidecar_cache.rules.bodies import content_of, parts_in
from sidecar_cache.rules.endpoint import WHOLE, Endpoint, LeftOut, Members
from sidecar_cache.rules.headers import ACCEPT_ENCODING, Accepted, codings, is_noise
from sidecar_cache.rules.json_values import written
from sidecar_cache.rules.pairs import of_query
from sidecar_cache.rules.unsuitable import Unsuitable

__all__ = ["Head", "Identity", "Opening", "Part", "Terms", "Unsuitable", "identity_of", "opening_of", "read_head"]

_REPLACED: Final = frozenset(name.encode() for name in CREDENTIAL_HEADERS)
"""By a provider's credential, where one is configured (`sidecar.credentials.identified`)."""
_CREDENTIALS: Final = _REPLACED | {b"proxy-authorization", b"x-folder-id"}
_OPERATIONS: Final = frozenset((Operation.STT, Operation.TTS, Operation.CHAT))
_DIGEST_BYTES: Final = 8
_MOST_NAME: Final = 48
#: Copying this much takes less time than another call of a digest.
_COPIED_BYTES: Final = 4096


class Head(NamedTuple):
    """What the headers of a request mean for the cache."""

    fields: tuple[tuple[bytes, bytes], ...]
    """Those that could change the answer, by name in lower case, in order."""
    content_type: str
    media_type: str
    codings: Accepted
    """Those that the answer may have."""
    delivery: str
    """The same in a word, with a space before it."""
    controls: Controls
    retried: bool
    """The agent's library says that it tries again."""


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
    telling = [(lower, value) for name, value in headers.fields if not is_noise(lower := name.lower())]
    accepted = codings([value for name, value in telling if name == ACCEPT_ENCODING])
    telling = [field for field in telling if field[0] != ACCEPT_ENCODING]
    if accepted.odd:
        telling.append((ACCEPT_ENCODING, accepted.odd))
    if [value for name, value in telling if name == b"accept"] == [b"*/*"]:
        telling.remove((b"accept", b"*/*"))
    telling.sort(key=_name)  # those of one name keep their order
    content_type = headers.get("content-type") or ""
    return Head(
        tuple(telling),
        content_type,
        content_type.partition(";")[0].strip().lower(),
        accepted,
        f" {','.join(sorted(accepted.known))}" if accepted.known else "",
        controls_of(headers),
        (headers.get_bytes(b"x-stainless-retry-count") or b"0") != b"0",
    )


def _name(field: tuple[bytes, bytes]) -> bytes:
    return field[0]


class Part(NamedTuple):
    """A piece of what makes a call the call it is."""

    name: str
    """Legible: ``tenant``, ``query.model``, ``header.accept``, ``body.voice``, ``messages.last``, ``form.file``."""
    digest: int
    """64 bits."""


class Terms(Struct, frozen=True, eq=False):
    """What the owner of a cache says of calls that they do not say themselves."""

    pod: bool = False
    """Whether all agents whose credentials are replaced by one of the sidecar's own are one."""
    stateless: bool = False
    """Whether nobody reads by their identifiers what a provider keeps of answers."""


NOTHING_SAID: Final = Terms()


class Opening(NamedTuple):
    """All of a call but its body."""

    provider: Provider
    target: str
    secret: bytes
    digest: bytes
    """Of all parts."""
    names: tuple[str, ...]
    digests: bytes
    """Of each part, 8 bytes."""
    endpoint: Endpoint
    delivery: str
    """The form that path and query ask for."""


class Identity:
    """What a call is known by.

    Args:
        content: what its body says; None where that is not remembered.
    """

    __slots__ = ("_content", "_opening", "_parts", "delivery", "for_all", "key")

    def __init__(
        self,
        key: str,
        delivery: str = WHOLE,
        opening: Opening | None = None,
        content: Members | BodyParts | None = None,
    ) -> None:
        self.key = key
        """32 hexadecimal digits that are the same for the same call, and for no other."""
        self.delivery = delivery
        """The form in which the answer is wanted, where that is not in the key: whole, stream, stream with usage,
        array."""
        self.for_all = False
        """Whether it is that of an answer for all agents of the pod, which was fetched before any of them asked."""
        self._opening = opening
        self._content = content
        self._parts: tuple[Part, ...] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and (self.key, self.delivery) == (other.key, other.delivery)

    def __hash__(self) -> int:
        return hash((self.key, self.delivery))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Two calls have the same parts if they have the same key. Found out when asked for; none if not remembered."""
        if self._parts is None:
            self._parts = () if self._opening is None or self._content is None else self._taken_apart()
        return self._parts

    @property
    def names(self) -> tuple[str, ...]:
        return tuple([part.name for part in self.parts])

    @property
    def alone(self) -> "Identity":
        """The same without its content, to be kept."""
        alone = Identity(self.key, self.delivery)
        alone.for_all = self.for_all
        return alone

    def _taken_apart(self) -> tuple[Part, ...]:
        opening, content = self._opening, self._content
        assert opening is not None
        assert content is not None
        before = map(Part, opening.names, struct.unpack(f">{len(opening.names)}Q", opening.digests))
        body = (
            Part(_legible(name), int.from_bytes(_digest(opening.secret, name, values)[:_DIGEST_BYTES], "big"))
            for name, values in parts_in(content, opening.endpoint)
        )
        return (*before, *body)


def opening_of(exchange: Exchange, head: Head, secret: bytes, terms: Terms = NOTHING_SAID) -> Opening:
    """What the key of a call begins with; of a head that comes again this is remembered.

    Args:
        secret: 32 bytes; keys of another secret have nothing in common with those of this one.

    Raises:
        Unsuitable: whatever its body says, such a call has no key.
    """
    provider, target, template = exchange.provider, exchange.request.target, exchange.request.headers.template
    if template is not None:
        known = template.memo.get(terms)
        if isinstance(known, Opening) and known[:3] == (provider, target, secret):
            return known
    found = _opening_of(exchange, head, secret, terms)
    if template is not None:
        template.memo[terms] = found
    return found


def _opening_of(exchange: Exchange, head: Head, secret: bytes, terms: Terms) -> Opening:
    provider, call, request = exchange.provider, exchange.call, exchange.request
    dialect = provider.dialect
    if call is None or dialect is None or call.operation not in _OPERATIONS or request.method != "POST" or call.socket:
        raise Unsuitable("not a call whose answer depends on its request alone")
    endpoint = endpoint_of(dialect.name, call.endpoint, stateless=terms.stateless)
    origin, credential = provider.origin, provider.credential
    replaced = terms.pod and credential is not None
    # by its place too: one name may stand for many servers, as that of a cloud whose customers have hosts of their own
    place = (provider.name, origin.scheme, origin.host, str(origin.port), provider.path)
    whose = b"the pod's: " if replaced else b"sidecar's: "
    tenant: list[bytes | None] = [b"" if credential is None else whose + credential.reveal.encode()]
    fields: dict[str, list[bytes | None]] = {
        "provider": [each.encode() for each in place],
        "endpoint": [dialect.name.encode(), call.operation.encode(), (endpoint.known_as or call.endpoint).encode()],
        "path": [endpoint.path(request.path).encode("utf-8", "surrogatepass")],
        "tenant": tenant,
        "header.content-type": [_kind(head)],
    }
    for name, values in sorted(of_query(_unidentified(request.query) if replaced else request.query).items()):
        if name.startswith("callback") or (name == "webhook" and values != [b"false"]):
            raise Unsuitable("the answer goes elsewhere")
        if name.lower() in CREDENTIAL_QUERY or name in endpoint.account:
            tenant += (b"query %b %d" % (name.encode("utf-8", "surrogateescape"), len(values)), *values)
        elif not _is_left_out(endpoint.query, name, values):
            fields[f"query.{name}"] = values
    for field, value in head.fields:
        if field in _CREDENTIALS:
            if not (replaced and field in _REPLACED):
                tenant += (b"header %b" % field, value)
        elif field != b"accept" or not endpoint.ignores_accept:
            fields.setdefault(f"header.{field.decode('latin-1')}", []).append(value)
    names = sorted(fields)
    digests = [_digest(secret, name, fields[name]) for name in names]
    return Opening(
        provider,
        request.target,
        secret,
        hashlib.sha256(b"".join(digests)).digest(),
        tuple([_legible(name) for name in names]),
        b"".join([digest[:_DIGEST_BYTES] for digest in digests]),
        endpoint,
        (WHOLE if endpoint.delivery is None else endpoint.delivery(request.path, request.query)) + head.delivery,
    )


def _unidentified(query: str) -> str:
    """*query* without the fields that a configured credential replaces."""
    return "&".join([item for item in query.split("&") if _name_in(item) not in CREDENTIAL_QUERY])


def _name_in(item: str) -> str:
    name, equals, _ = item.partition("=")
    return name if equals else ""


def _kind(head: Head) -> bytes:
    """How the body is written, as far as that changes what it says."""
    if head.media_type.endswith("json"):
        parameters = head.content_type.partition(";")[2].replace(" ", "").replace('"', "").lower()
        return head.media_type.encode() + (b"" if parameters in ("", "charset=utf-8") else b";" + parameters.encode())
    if head.media_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return head.media_type.encode()
    return b""  # the body's own part


def _is_left_out(out: Iterable[LeftOut], name: str, values: list[bytes | None]) -> bool:
    return any(
        each.name == name
        and (
            each.values is None or all(value is not None and value.decode("latin-1") in each.values for value in values)
        )
        for each in out
    )


def identity_of(opening: Opening, head: Head, data: bytes, *, by_samples: bool = False) -> Identity:
    """What the call is known by. *data* is its body.

    Args:
        by_samples: whether recordings in WAV and FLAC are known by their samples instead of their bytes.

    Raises:
        Unsuitable: it is a call that has no key.
    """
    content, delivery = content_of(opening.endpoint, head.content_type, head.media_type, data, by_samples)
    digest = hashlib.sha256(opening.secret + opening.digest)  # processors have it built in: 3 times blake2b
    if isinstance(content, dict):
        digest.update(b"{" + written(content))
    else:
        for name, values in content:
            digest.update(_digest(b"", name, values))
    wanted = opening.delivery if delivery is None else delivery + head.delivery
    return Identity(digest.hexdigest()[:32], wanted, opening, content)


def _digest(secret: bytes, name: str, values: Iterable[bytes | memoryview | None]) -> bytes:
    """Of a part's name and values. Each is preceded by its length, so that no other values look the same."""
    encoded = name.encode("utf-8", "surrogateescape")
    said = b"%b%d:%b" % (secret, len(encoded), encoded)
    large = None
    for value in values:
        if value is None:
            said += b"-"
        elif len(value) <= _COPIED_BYTES:
            said += b"%d:%b" % (len(value), bytes(value))
        else:
            if large is None:
                large = hashlib.sha256()
            large.update(said + b"%d:" % len(value))
            large.update(value)
            said = b""
    if large is None:
        return hashlib.sha256(said).digest()
    large.update(said)
    return large.digest()


@lru_cache(maxsize=1024)
def _legible(name: str) -> str:
    """*name* as it may be shown: agents choose what their members and fields are called."""
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown if len(shown) <= _MOST_NAME else f"{shown[: _MOST_NAME - 1]}…"
