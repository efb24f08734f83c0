"""Entries as bytes, for places outside this process's memory: a disk, a shared store.

``magic and version · plain or sealed (· nonce) · content · proof``. The proof covers all of it and the entry's key, so
that nothing opens in which a bit has turned, that was cut, or that was moved under another key: a SHA-256, or, with a
secret, the tag of AES-256-GCM, which also hides the content and which nobody can make without the secret.
"""

import hashlib
import hmac
import os
import zlib
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from sidecar import Secret
from sidecar_cache.entry import Entry

#: With the version of what follows; an entry of another version is none.
_MAGIC: Final = b"asc\x01"
_PLAIN, _SEALED = b"\x00", b"\x01"
_OPENING_BYTES: Final = len(_MAGIC) + 1
_NONCE_BYTES: Final = 12
_PROOF_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_KEY_INFO: Final = b"agent-sidecar cache entries 1"
SHORTEST_SECRET: Final = 16
"""Characters; less can be tried out by whoever has read one entry."""

#: Texts this large are packed; in smaller ones there is little to gain.
_PACKED_FROM_BYTES: Final = 512
_PACKING_LEVEL: Final = 1
_TEXTS: Final = (b"content-type: text/", b"content-type: application/json", b"content-type: application/x-ndjson")


class Garbled(Exception):
    """These bytes are no entry of this key: damaged, moved, forged, of another secret or another version."""


class _Record(Struct, array_like=True):
    entry: Entry
    """Without its data, which follows."""
    data_bytes: int
    """How long it is unpacked."""
    packed: bool


class Codec:
    """
    Args:
        secret: seals the entries; None leaves them legible.
        largest_bytes: an answer that says of itself that it is larger is not unpacked.

    Raises:
        ValueError: the secret is too short.
    """

    def __init__(self, secret: Secret | None = None, largest_bytes: int = 64 * 1024 * 1024) -> None:
        self._largest_bytes = largest_bytes
        self._seal: AESGCM | None = None
        self._label = "1"
        if secret is not None:
            if len(secret.reveal) < SHORTEST_SECRET:
                raise ValueError(f"is too short: at least {SHORTEST_SECRET} characters")
            derivation = HKDF(algorithm=hashes.SHA256(), length=32 + 4, salt=None, info=_KEY_INFO)
            derived = derivation.derive(secret.reveal.encode())
            self._seal = AESGCM(derived[:32])
            self._label = f"1-{derived[32:].hex()}"

    @property
    def label(self) -> str:
        """Of the version and the secret, which it does not tell: those of two labels cannot read each other's."""
        return self._label

    def encode(self, key: str, entry: Entry) -> bytes:
        """*entry* as bytes that open under *key* alone."""
        data = entry.data
        packed = _is_text(entry.block) and len(data) >= _PACKED_FROM_BYTES
        if packed and len(shorter := zlib.compress(data, _PACKING_LEVEL)) < len(data):
            data = shorter
        else:
            packed = False
        record = _ENCODER.encode(_Record(msgspec.structs.replace(entry, data=b""), len(entry.data), packed))
        return self.seal(key, len(record).to_bytes(_LENGTH_BYTES, "big"), record, data)

    def seal(self, key: str, *parts: bytes) -> bytes:
        """*parts*, one after another, as bytes that open under *key* alone."""
        if self._seal is None:
            opening = _MAGIC + _PLAIN
            proof = hashlib.sha256(_bound(opening, key))
            for part in parts:
                proof.update(part)
            return b"".join((opening, *parts, proof.digest()[:_PROOF_BYTES]))
        opening, nonce = _MAGIC + _SEALED, os.urandom(_NONCE_BYTES)
        return b"".join((opening, nonce, self._seal.encrypt(nonce, b"".join(parts), _bound(opening, key))))

    def decode(self, key: str, found: bytes) -> Entry:
        """What ``encode`` was given.

        Raises:
            Garbled: it was given something else, or by somebody else.
        """
        content = self.opened(key, found)
        try:
            end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "big")
            record = _DECODER.decode(content[_LENGTH_BYTES:end])
            data = bytes(content[end:])
            if record.packed:
                data = self._unpacked(data, record.data_bytes)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, zlib.error) as error:
            raise Garbled(f"not in the form of an entry: {type(error).__name__}") from None
        if len(data) != record.data_bytes:
            raise Garbled("its data has another length than it says")
        return msgspec.structs.replace(record.entry, data=data)

    def opened(self, key: str, found: bytes) -> memoryview:
        """The content of *found*, once it is known that it is what was sealed for *key*.

        Raises:
            Garbled: it is something else, or by somebody else.
        """
        opening = found[:_OPENING_BYTES]
        if opening != _MAGIC + (_PLAIN if self._seal is None else _SEALED):
            raise Garbled(
                "not an entry, or of another version, or sealed where none is expected or the other way round"
            )
        if self._seal is None:
            content, proof = memoryview(found)[:-_PROOF_BYTES], found[-_PROOF_BYTES:]
            expected = hashlib.sha256(_bound(opening, key))
            expected.update(content[_OPENING_BYTES:])
            if not hmac.compare_digest(expected.digest()[:_PROOF_BYTES], proof):
                raise Garbled("damaged, or of another key")
            return content[_OPENING_BYTES:]
        nonce = found[_OPENING_BYTES : _OPENING_BYTES + _NONCE_BYTES]
        try:
            sealed = memoryview(found)[_OPENING_BYTES + _NONCE_BYTES :]
            return memoryview(self._seal.decrypt(nonce, sealed, _bound(opening, key)))
        except (InvalidTag, ValueError):
            raise Garbled("damaged, of another key, or sealed with another secret") from None

    def _unpacked(self, data: bytes, size: int) -> bytes:
        if size > self._largest_bytes:
            raise Garbled("larger than any answer that is kept")
        unpacking = zlib.decompressobj()
        return unpacking.decompress(data, size + 1)


def _bound(opening: bytes, key: str) -> bytes:
    """What a proof covers besides the content; the length keeps one from running into the other."""
    return b"%b%d\0%b" % (opening, len(key), key.encode())


def _is_text(block: bytes) -> bool:
    """Whether an answer with these headers is text, not packed already."""
    lower = block.lower()
    return b"content-encoding:" not in lower and any(text in lower for text in _TEXTS)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Record)
