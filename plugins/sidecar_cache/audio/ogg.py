"""Ogg, page by page (RFC 3533): Opus (RFC 7845) and Vorbis say how long they play, anything else only that it ends."""

import struct

from msgspec import Struct

from sidecar_cache.audio.sound import Sound, broken, playing
from sidecar_cache.slices import Slices

_FIRST, _LAST, _NO_PACKET_ENDS = 2, 4, -1
_HEAD_BYTES = 27
_OPUS_RATE = 48000
#: Pages that are looked at before others have their turn.
_SLICE = 50
_page = struct.Struct("<4sBBqIIIB").unpack_from


class _Stream(Struct):
    codec: str
    rate: int
    skipped: int
    """Samples at the beginning that are not played."""
    page: int
    reached: int = 0
    """Samples up to the end of the last page."""
    ended: bool = False


def ogg(data: bytes) -> Slices[Sound]:
    at, end, pages = 0, len(data), 0
    streams: dict[int, _Stream] = {}
    over: list[_Stream] = []
    while at < end:
        if at + _HEAD_BYTES > end:
            return broken(_codec(over, streams), "its last page is cut off")
        mark, _, flags, granule, serial, number, _, count = _page(data, at)
        if mark != b"OggS":
            return broken(_codec(over, streams), f"no page begins at byte {at}")
        body = at + _HEAD_BYTES + count
        at = body + sum(data[at + _HEAD_BYTES : body])
        if at > end or body > end:
            return broken(_codec(over, streams), "its last page is cut off")
        if flags & _FIRST:
            if (before := streams.pop(serial, None)) is not None:
                over.append(before)
            streams[serial] = _begun(data[body:at], number)
        elif (stream := streams.get(serial)) is None:
            return broken(_codec(over, streams), "a stream in it has no beginning")
        else:
            if number != stream.page + 1:
                return broken(stream.codec, f"page {stream.page + 1} is missing")
            stream.page = number
            if granule != _NO_PACKET_ENDS:
                stream.reached = granule
            stream.ended = bool(flags & _LAST)
        pages += 1
        if not pages % _SLICE:
            yield
    every = [*over, *streams.values()]
    if not all(stream.ended for stream in every):
        return broken(_codec(over, streams), "no page of it is marked as its last")
    known = [stream for stream in every if stream.rate]
    if not known:
        return playing("ogg", None)
    return playing(known[0].codec, sum(max(one.reached - one.skipped, 0) / one.rate for one in known))


def _begun(packet: bytes, number: int) -> _Stream:
    if packet[:8] == b"OpusHead" and len(packet) >= 19:
        return _Stream("opus", _OPUS_RATE, int.from_bytes(packet[10:12], "little"), number)
    if packet[:7] == b"\x01vorbis" and len(packet) >= 16:
        return _Stream("ogg", int.from_bytes(packet[12:16], "little"), 0, number)
    return _Stream("ogg", 0, 0, number)


def _codec(over: list[_Stream], streams: dict[int, _Stream]) -> str:
    return next((stream.codec for stream in (*over, *streams.values())), "ogg")
