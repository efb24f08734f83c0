"""What is spoken and what is heard: audio in events, and transcripts in events."""

import base64
from typing import Final

from msgspec import Raw

from sidecar_cache.forms.pieces import (
    NULL,
    Members,
    Unconvertible,
    audio_of,
    documents,
    encode,
    is_there,
    items,
    members_of,
    text_of,
    written,
)

#: Where the audio of an event stands: OpenAI's, Mistral's, Cartesia's, and that of servers that copy OpenAI.
_AUDIO: Final = ("audio", "audio_data", "data", "delta")
_DELTA, _DONE = "speech.audio.delta", "speech.audio.done"
_EVENT_BYTES: Final = 12 * 1024
_NOTHING_USED: Final = {
    "openai": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
    "mistral": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
}


def audio_of_events(stream: bytes) -> bytes:
    """The audio that is in the events, put together."""
    pieces = []
    for document in documents(stream):
        event = members_of(document)
        found = next((event[name] for name in _AUDIO if name in event), None)
        if found is not None and found != NULL:
            pieces.append(audio_of(found))
    return b"".join(pieces)


def events_of_audio(audio: bytes, family: str) -> bytes:
    """Audio alone does not say what was used for it; this time nothing is, and the last event says so."""
    is_mistral = family == "mistral"
    member, named = ("audio_data", True) if is_mistral else ("audio", False)
    out = []
    for at in range(0, len(audio), _EVENT_BYTES):
        piece = base64.b64encode(audio[at : at + _EVENT_BYTES]).decode()
        out.append(written({"type": _DELTA, member: piece}, _DELTA if named else ""))
    used = _NOTHING_USED["mistral" if is_mistral else "openai"]
    out.append(written({"type": _DONE, "usage": used}, _DONE if named else ""))
    return b"".join(out)


def transcript(stream: bytes) -> bytes:
    """A transcript as one document: the last event has all that is in one."""
    for document in documents(stream):
        event = members_of(document)
        kind = text_of(event.pop("type", NULL))
        if kind == "transcript.text.segment":
            raise Unconvertible("a transcript by speakers says more as a whole than in events")
        if kind in ("transcript.text.done", "transcription.done"):
            return encode(event)
    raise Unconvertible("the stream has no transcript in it")


def transcript_events(answer: bytes, family: str) -> bytes:
    said = members_of(answer)
    if "text" not in said:
        raise Unconvertible("the answer has no transcript in it")
    return _mistral_events(said) if family == "mistral" else _openai_events(said)


def _openai_events(said: Members) -> bytes:
    if "segments" in said or "words" in said:
        raise Unconvertible("times are not told in a stream")
    logprobs = {"logprobs": said["logprobs"]} if is_there(said.get("logprobs")) else {}
    delta: dict[str, object] = {"type": "transcript.text.delta", "delta": said["text"], **logprobs}
    return written(delta) + written({"type": "transcript.text.done", **said})


def _mistral_events(said: Members) -> bytes:
    def made(kind: str, **members: object) -> bytes:
        return written({"type": kind, **members}, kind)

    out = []
    if is_there(said.get("language")):
        out.append(made("transcription.language", audio_language=said["language"]))
    out.append(made("transcription.text.delta", text=said["text"]))
    for raw in items(said, "segments"):
        segment = {name: value for name, value in members_of(raw).items() if name != "type"}
        out.append(made("transcription.segment", **segment))
    out.append(made("transcription.done", **said))
    return b"".join(out)


def json_audio(answer: bytes) -> bytes:
    """The audio of Mistral's whole answers."""
    return audio_of(members_of(answer).get("audio_data", Raw(b'""')))


def audio_json(audio: bytes) -> bytes:
    return encode({"audio_data": base64.b64encode(audio).decode()})
