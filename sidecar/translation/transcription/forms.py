"""Requests written: multipart forms and queries."""

import secrets
from collections.abc import Iterable
from urllib.parse import quote

from sidecar import multipart
from sidecar.multipart import Part
from sidecar.translation.transcription.accepted import NAMES
from sidecar.translation.transcription.neutral import Ask

Pairs = Iterable[tuple[str, str]]


def form(fields: Pairs, *files: Part) -> tuple[str, bytes]:
    """Content type and body of a form with *fields* in their order, *files* last."""
    parts = [*(Part.of(name, value) for name, value in fields), *files]
    boundary = secrets.token_hex(16)
    while any(boundary.encode() in bytes(part.data) for part in parts):
        boundary = secrets.token_hex(16)
    return f"multipart/form-data; boundary={boundary}", multipart.write(parts, boundary)


def recording(name: str, ask: Ask) -> tuple[Part, ...]:
    """The recording of *ask* as the file part *name*; nothing if it is elsewhere."""
    if ask.address is not None:
        return ()
    filename, media_type = named(ask)
    return (Part.of(name, ask.audio, filename, media_type),)


def named(ask: Ask) -> tuple[str, str]:
    """File name and media type that tell what the recording of *ask* is."""
    return NAMES.get(ask.sound.format, ("audio.raw", "application/octet-stream"))


def query(path: str, fields: Pairs) -> str:
    """*path* and, behind it, *fields*."""
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields)
    return f"{path}?{pairs}" if pairs else path
