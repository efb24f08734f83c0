"""What an audio answer is: of what kind, whole or broken, and how long it plays. Pure, and nothing is decoded."""

from collections.abc import Callable
from typing import Final

from sidecar_cache.audio.flac import flac
from sidecar_cache.audio.frames import adts, is_adts, is_mp3, mp3, tag_bytes
from sidecar_cache.audio.ogg import ogg
from sidecar_cache.audio.riff import wav
from sidecar_cache.audio.sound import Sound, broken, playing
from sidecar_cache.slices import Slices

__all__ = ["HEADERLESS", "Sound", "headerless_sound", "sound_of"]

#: Bytes of one sample, where there is nothing but samples. By words of `sidecar.Speech.format`.
HEADERLESS: Final = {
    "alaw": 1,
    "linear32": 4,
    "mulaw": 1,
    "pcm": 2,
    "pcm_f32le": 4,
    "pcm_s16le": 2,
    "pcm_s32le": 4,
}
#: What files begin with that tell their kind by that.
_MARKS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"#!AMR", "amr"),
)
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_MP4_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"sidx", b"styp", b"mfra", b"uuid"))


def sound_of(data: bytes) -> Slices[Sound]:
    """What *data* is by what it says of itself. Its ``container`` is "" if it says nothing."""
    kind = _kind(data)
    if (walking := _WALKING.get(kind)) is not None:
        return (yield from walking(data))
    reader = _READERS.get(kind)
    return Sound(kind) if reader is None else reader(data)


def headerless_sound(data: bytes, samples: str, rate: int | None, channels: int = 1) -> Slices[Sound]:
    """What *data* is that was asked for as nothing but samples, of a kind in `HEADERLESS`: that, unless it is a file.

    Args:
        rate: in Hz; without it, it is not known how long it plays.
    """
    if data[:4] in (b"RIFF", b"OggS", b"fLaC") or data[:3] == b"ID3":
        found = yield from sound_of(data)
        if found.container:
            return found
    width = HEADERLESS[samples]
    if len(data) % width:
        return broken(samples, "its last sample is cut off")
    return playing(samples, len(data) / (width * rate * channels) if rate and channels else None)


def _kind(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] == b"ftyp":
        return "m4a"
    for mark, kind in _MARKS:
        if data.startswith(mark):
            return kind
    at = tag_bytes(data, 0)
    head = data[at : at + 4]
    if head == b"fLaC":
        return "flac"
    if is_adts(head):
        return "aac"
    return "mp3" if at or is_mp3(head) else ""


def _tagged_flac(data: bytes) -> Slices[Sound]:
    return (yield from flac(data[tag_bytes(data, 0) :]))


def _webm(data: bytes) -> Sound:
    """Only how it begins is looked at: services that stream it leave all sizes open."""
    begun = _MATROSKA_SEGMENT in data[:4096]
    return playing("webm", None) if begun else broken("webm", "it ends before the sound")


def _mp4(data: bytes) -> Sound:
    at, end, seen = 0, len(data), set()
    while at < end:
        size, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if name not in _MP4_BOXES:
            return broken("m4a", f"no part of it begins at byte {at}")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        elif size == 0:
            size = end - at
        if size < 8:
            return broken("m4a", f"no part of it begins at byte {at}")
        seen.add(name)
        at += size
    if at > end:
        return broken("m4a", "its last part is cut off")
    return playing("m4a", None) if {b"moov", b"mdat"} <= seen else broken("m4a", "it ends before the sound")


_READERS: Final[dict[str, Callable[[bytes], Sound]]] = {"m4a": _mp4, "wav": wav, "webm": _webm}
#: Those that go from piece to piece.
_WALKING: Final[dict[str, Callable[[bytes], Slices[Sound]]]] = {
    "aac": adts,
    "flac": _tagged_flac,
    "mp3": mp3,
    "ogg": ogg,
}
