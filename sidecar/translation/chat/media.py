"""Images, recordings and files inside a request: data URLs, media types, base64."""

import re
from typing import Final, Literal

from sidecar.translation.chat.ask import Media
from sidecar.translation.contract import Inexpressible

Kind = Literal["image", "audio", "file"]

_DATA_URL: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_URL_SAFE: Final = str.maketrans("-_", "+/", " \r\n\t=")
_BY_EXTENSION: Final = {
    "csv": "text/csv",
    "html": "text/html",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "txt": "text/plain",
}
#: What the formats of recordings are called as media types, and back.
_AUDIO_TYPES: Final = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "mp3": "audio/mp3",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
}
_AUDIO_FORMATS: Final = {
    **{media_type: name for name, media_type in _AUDIO_TYPES.items()},
    "audio/mpeg": "mp3",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
}


def of_url(url: str, kind: Kind, *, filename: str | None = None) -> Media:
    """What stands at *url*, or in it.

    Raises:
        Inexpressible: it is neither a data URL in base64 nor one of the web.
    """
    if found := _DATA_URL.match(url):
        if "base64" not in found[2].lower():
            raise Inexpressible(kind, "a data URL that is not in base64 is not understood")
        media_type = found[1].lower() or guessed_type(filename)
        return Media(kind=kind, media_type=media_type, data=plain_base64(url[found.end() :]), filename=filename)
    if not url.startswith(("https://", "http://")):
        raise Inexpressible(kind, "it stands where only the agent's provider can find it")
    return Media(kind=kind, media_type=guessed_type(filename or url), url=url, filename=filename)


def data_url(media: Media) -> str:
    """*media*, whose data are here, as a URL."""
    return f"data:{media.media_type or 'application/octet-stream'};base64,{media.data or ''}"


def plain_base64(encoded: str) -> str:
    """*encoded* in the standard alphabet, padded, without line breaks."""
    if encoded.isalnum() and len(encoded) % 4 == 0:
        return encoded
    bare = encoded.translate(_URL_SAFE)
    return bare + "=" * (-len(bare) % 4)


def guessed_type(name: str | None) -> str | None:
    """The media type that the end of a name stands for."""
    return None if name is None else _BY_EXTENSION.get(name.partition("?")[0].rpartition(".")[2].lower())


def of_audio(name: str, data: str) -> Media:
    """A recording in the format *name*: wav, mp3, …"""
    media_type = _AUDIO_TYPES.get(name.lower(), f"audio/{name.lower()}")
    return Media(kind="audio", media_type=media_type, data=plain_base64(data))


def audio_format(media: Media) -> str | None:
    """The word for a recording's format: wav, mp3, …"""
    return _AUDIO_FORMATS.get((media.media_type or "").partition(";")[0].strip())


def kind_of(media_type: str) -> Kind:
    main = media_type.partition("/")[0].lower()
    return "image" if main == "image" else "audio" if main == "audio" else "file"
