"""Names of audio formats, and the MIME types that go with them."""

from msgspec import Struct

RAW_CODECS = frozenset(("pcm_s16le", "pcm_f32le", "mulaw", "alaw"))
"""Codecs that need no container."""

_CONTENT_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "adts": "audio/aac",
    "webm": "audio/webm; codec=opus",
}
_RAW_CONTENT_TYPES = {
    "pcm_s16le": "audio/pcm",
    "pcm_f32le": "audio/pcm",
    "mulaw": "audio/basic",
    "alaw": "audio/x-alaw-basic",
}


class AudioFormat(Struct, frozen=True):
    """``container`` is raw, wav, ogg, webm, mp3, flac or adts; ``codec`` one of `RAW_CODECS`, opus, mp3, flac, aac."""

    container: str
    codec: str
    rate: int
    bits_per_second: int | None = None
    """Where the codec has a choice."""

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES.get(self.container) or _RAW_CONTENT_TYPES[self.codec]


class UnsupportedFormat(ValueError):
    """The lab cannot make this format."""


def raw(codec: str, rate: int) -> AudioFormat:
    return AudioFormat("raw", codec, rate)


def wav(rate: int, codec: str = "pcm_s16le") -> AudioFormat:
    return AudioFormat("wav", codec, rate)


def mp3(rate: int, bits_per_second: int | None = None) -> AudioFormat:
    return AudioFormat("mp3", "mp3", rate, bits_per_second)


def opus(rate: int = 48000, bits_per_second: int | None = None) -> AudioFormat:
    return AudioFormat("ogg", "opus", rate, bits_per_second)


def flac(rate: int) -> AudioFormat:
    return AudioFormat("flac", "flac", rate)


def aac(rate: int, bits_per_second: int | None = None) -> AudioFormat:
    return AudioFormat("adts", "aac", rate, bits_per_second)


def webm(rate: int, bits_per_second: int | None = None) -> AudioFormat:
    return AudioFormat("webm", "opus", rate, bits_per_second)
