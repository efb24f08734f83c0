"""MP3 and AAC in ADTS: frame after frame, each of which says how long it is. Nothing is decoded."""

from sidecar_cache.audio.sound import Sound, broken, playing
from sidecar_cache.slices import Slices

# By version bits: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5.
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_LAYER_3, _LAYER_2 = 1, 2
_MPEG_1 = 3
# In kbit/s by the bits that say so, by whether it is MPEG 1 and the layer.
_BIT_RATES = {
    (True, _LAYER_3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, _LAYER_2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, _LAYER_3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, _LAYER_2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_SAMPLES = 1024
_ID3V1_BYTES = 128
_APE_BYTES = 32
#: Frames that are looked at before others have their turn.
_MP3_SLICE, _ADTS_SLICE = 100, 50


def is_mp3(head: bytes) -> bool:
    return _mp3_frame(head) is not None


def is_adts(head: bytes) -> bool:
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def mp3(data: bytes) -> Slices[Sound]:
    at, end = tag_bytes(data, 0), len(data)
    stated, first = _stated_frames(data, at)
    at += first
    known: dict[bytes, tuple[int, float]] = {}
    seconds, count = 0.0, 0
    while at < end:
        head = data[at : at + 4]
        frame = known.get(head)
        if frame is None:
            if size := tag_bytes(data, at):
                at += size
                continue
            found = _mp3_frame(head)
            if found is None:
                # the beginning of a frame is no other thing than the end of what was sent
                cut = at + 4 > end and head[:1] == b"\xff"
                return broken("mp3", "its last frame is cut off" if cut else f"no frame begins at byte {at}")
            frame = known[head] = found
        at += frame[0]
        seconds += frame[1]
        count += 1
        if not count % _MP3_SLICE:
            yield
    if at > end:
        return broken("mp3", "its last frame is cut off")
    if count < stated:
        return broken("mp3", f"it has {count} frames where {stated} were announced")
    return playing("mp3", seconds)


def _mp3_frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of the frame that *head* begins."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer, index = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4
    rates, is_mpeg_1 = _MP3_RATES.get(version), version == _MPEG_1
    bit_rates = _BIT_RATES.get((is_mpeg_1, layer))
    if rates is None or bit_rates is None or not 1 <= index <= 14 or head[2] >> 2 & 3 == 3:
        return None
    rate = rates[head[2] >> 2 & 3]
    samples = 1152 if is_mpeg_1 or layer == _LAYER_2 else 576
    return samples // 8 * bit_rates[index - 1] * 1000 // rate + (head[2] >> 1 & 1), samples / rate


def _stated_frames(data: bytes, at: int) -> tuple[int, int]:
    """What the first frame says that the others are, if it says that instead of sounding; and its own bytes."""
    head = data[at : at + 4]
    frame = _mp3_frame(head)
    if frame is None:
        return 0, 0
    is_mono = head[3] >> 6 == 3
    offset = (17 if is_mono else 32) if head[1] >> 3 & 3 == _MPEG_1 else (9 if is_mono else 17)
    mark = at + 4 + offset
    if data[mark : mark + 4] in (b"Xing", b"Info"):
        says = data[mark + 7 : mark + 8]
        return int.from_bytes(data[mark + 8 : mark + 12]) if says and says[0] & 1 else 0, frame[0]
    if data[at + 36 : at + 40] == b"VBRI":
        return int.from_bytes(data[at + 50 : at + 54]), frame[0]
    return 0, 0


def tag_bytes(data: bytes, at: int) -> int:
    """How long the tag is that begins at *at*: ID3 in its first or second version, or APE; 0 if none does."""
    mark = data[at : at + 3]
    if mark == b"ID3":
        size = data[at + 6 : at + 10]
        if len(size) < 4:
            return len(data) - at + 1
        footed = 10 if data[at + 5] & 0x10 else 0
        return 10 + footed + ((size[0] & 127) << 21 | (size[1] & 127) << 14 | (size[2] & 127) << 7 | size[3] & 127)
    if mark == b"TAG":
        return _ID3V1_BYTES
    if data[at : at + 8] == b"APETAGEX":
        header = _APE_BYTES if data[at + 23 : at + 24] >= b"\x80" and data[at + 23] & 0x20 else 0
        return max(header + int.from_bytes(data[at + 12 : at + 16], "little"), _APE_BYTES)
    return 0


def adts(data: bytes) -> Slices[Sound]:
    at, end, seconds, count = tag_bytes(data, 0), len(data), 0.0, 0
    per_sample = [1 / rate for rate in _AAC_RATES]
    while at + 7 <= end:
        if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
            if size := tag_bytes(data, at):
                at += size
                continue
            return broken("aac", f"no frame begins at byte {at}")
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        index = data[at + 2] >> 2 & 15
        if size < 7 or index >= len(per_sample):
            return broken("aac", f"no frame begins at byte {at}")
        seconds += _AAC_SAMPLES * (1 + (data[at + 6] & 3)) * per_sample[index]
        at += size
        count += 1
        if not count % _ADTS_SLICE:
            yield
    return broken("aac", "its last frame is cut off") if at != end else playing("aac", seconds)
