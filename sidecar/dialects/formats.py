"""The field's words for codecs and containers, from all the ways providers and clients write them.

A container that is known to hold one codec goes by the codec's name (Ogg with Opus is ``opus``); of one that may hold
several only the container is said (``ogg``, ``webm``). ``pcm`` is 16-bit little-endian without a header.
"""

_MEDIA_SUBTYPES = {
    "aac": "aac",
    "aacp": "aac",
    "aiff": "aiff",
    "amr": "amr",
    "amr-wb": "amr_wb",
    "basic": "mulaw",
    "flac": "flac",
    "l16": "pcm",
    "m4a": "m4a",
    "mp3": "mp3",
    "mp4": "m4a",
    "mpeg": "mp3",
    "mpeg3": "mp3",
    "mpga": "mp3",
    "mulaw": "mulaw",
    "ogg": "ogg",
    "opus": "opus",
    "pcm": "pcm",
    "pcma": "alaw",
    "pcmu": "mulaw",
    "speex": "speex",
    "vnd.wave": "wav",
    "wav": "wav",
    "wave": "wav",
    "webm": "webm",
}
_EXTENSIONS = {
    "aac": "aac",
    "aif": "aiff",
    "aiff": "aiff",
    "alaw": "alaw",
    "amr": "amr",
    "flac": "flac",
    "m4a": "m4a",
    "mp3": "mp3",
    "mp4": "m4a",
    "mpeg": "mp3",
    "mpga": "mp3",
    "mulaw": "mulaw",
    "oga": "ogg",
    "ogg": "ogg",
    "opus": "opus",
    "pcm": "pcm",
    "raw": "pcm",
    "ulaw": "mulaw",
    "wav": "wav",
    "wave": "wav",
    "webm": "webm",
}
_ENCODINGS = {
    "amr-nb": "amr",
    "amr-wb": "amr_wb",
    "linear16": "pcm",
    "lpcm": "pcm",
    "m4a_aac": "m4a",
    "mov_aac": "m4a",
    "mp4_aac": "m4a",
    "ogg-opus": "opus",
    "ogg_opus": "opus",
    "oggopus": "opus",
    "pcm_alaw": "alaw",
    "pcm_mulaw": "mulaw",
    "pcm_s16le": "pcm",
    "speex_with_header_byte": "speex",
    "ulaw": "mulaw",
    "webm_opus": "webm",
}


def of_encoding(name: str | None) -> str | None:
    """From a provider's parameter; a word that stands for itself stays as it is."""
    if not name:
        return None
    lower = name.lower()
    return _ENCODINGS.get(lower, lower)


def of_media_type(media_type: str | None) -> str | None:
    if not media_type:
        return None
    kind, _, parameters = media_type.lower().partition(";")
    main, _, subtype = kind.strip().partition("/")
    word = _MEDIA_SUBTYPES.get(subtype.removeprefix("x-")) if main in ("audio", "video") else None
    return "opus" if word == "ogg" and "opus" in parameters else word


def of_filename(filename: str | None) -> str | None:
    return _EXTENSIONS.get(filename.rpartition(".")[2].lower()) if filename and "." in filename else None


def declared(filename: str | None, media_type: str | None) -> str | None:
    """What a file part says it holds: most servers go by its name first, but only the type knows of Opus in Ogg."""
    by_name, by_type = of_filename(filename), of_media_type(media_type)
    return by_type if by_name is None or (by_name == "ogg" and by_type == "opus") else by_name
