"""What a TLS ClientHello says before anything is encrypted (RFC 8446 section 4.1.2). No I/O."""

from msgspec import Struct

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _ECH = 0, 16, 0xFE0D
#: A record holds at most this much; so does, in practice, any hello.
MAX_HELLO_BYTES = 5 + 16384 + 2048


class Hello(Struct, frozen=True):
    """``name`` is the server name in lower case, or None; ``alpn`` the protocols offered, in the client's order."""

    name: str | None
    alpn: tuple[str, ...]
    encrypted: bool = False
    """Whether another name may hide in it (Encrypted Client Hello)."""

    @property
    def speaks_http1(self) -> bool:
        """A client that offers nothing takes HTTP/1.1; one that offers only ``h2`` cannot."""
        return not self.alpn or "http/1.1" in self.alpn


class Incomplete(Struct, frozen=True):
    """More is needed: at least *need_bytes* from the start of the connection."""

    need_bytes: int


class Malformed(Struct, frozen=True):
    """No ClientHello, whatever else it is."""

    reason: str


def read_hello(data: bytes) -> Hello | Incomplete | Malformed:
    """Read the first bytes of a connection. A hello may be split over several records and over many segments."""
    message, position = bytearray(), 0
    while True:
        if len(data) < position + 5:
            if data[position : position + 1] not in (b"", b"\x16"):
                return Malformed("a record that is no handshake")
            return Incomplete(position + 5)
        if data[position] != _HANDSHAKE or data[position + 1] != 3:
            return Malformed("a record that is no handshake")
        length = int.from_bytes(data[position + 3 : position + 5])
        if not 0 < length <= 16384 + 256:
            return Malformed("a record of impossible length")
        message += data[position + 5 : position + 5 + length]
        if message and message[0] != _CLIENT_HELLO:
            return Malformed("a handshake that is no ClientHello")
        wanted = 4 + int.from_bytes(message[1:4]) if len(message) >= 4 else 4
        if wanted > MAX_HELLO_BYTES:
            return Malformed("a ClientHello of impossible length")
        if len(message) >= 4 and len(message) >= wanted:
            break
        if len(data) < position + 5 + length:
            return Incomplete(position + 5 + length)
        position += 5 + length
    try:
        return _read_body(memoryview(message)[4:wanted])
    except (IndexError, ValueError):
        return Malformed("a ClientHello whose lengths do not add up")


def _read_body(body: memoryview) -> Hello:
    position = 2 + 32
    position += 1 + body[position]  # session id
    position += 2 + _number(body, position)  # cipher suites
    position += 1 + body[position]  # compression methods
    name: str | None = None
    alpn: tuple[str, ...] = ()
    encrypted = False
    if position == len(body):
        return Hello(None, ())
    end = position + 2 + _number(body, position)
    if end != len(body):
        raise ValueError
    position += 2
    while position < end:
        kind, length = _number(body, position), _number(body, position + 2)
        value = body[position + 4 : position + 4 + length]
        if len(value) != length:
            raise ValueError
        if kind == _SERVER_NAME:
            name = _server_name(value)
        elif kind == _ALPN:
            alpn = _protocols(value)
        elif kind == _ECH:
            encrypted = True
        position += 4 + length
    return Hello(name, alpn, encrypted)


def _number(data: memoryview, position: int) -> int:
    """Two bytes, big-endian."""
    return data[position] << 8 | data[position + 1]


def _server_name(value: memoryview) -> str | None:
    position = 2
    while position + 3 <= len(value):
        length = _number(value, position + 1)
        if value[position] == 0:
            host = bytes(value[position + 3 : position + 3 + length])
            if len(host) != length:
                raise ValueError
            return host.decode("ascii").lower().rstrip(".") or None
        position += 3 + length
    return None


def _protocols(value: memoryview) -> tuple[str, ...]:
    protocols, position = [], 2
    while position < len(value):
        length = value[position]
        protocols.append(bytes(value[position + 1 : position + 1 + length]).decode("latin-1"))
        position += 1 + length
    return tuple(protocols)
