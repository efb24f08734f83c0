"""Typed views of what a call asks for. The bytes are the truth: a view decodes what layers need, and no more.

A view is never encoded back onto the wire, since that would drop every field it does not know. An edit goes through
`edited`, which replaces top-level fields of a JSON object and leaves the bytes of all others alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import force_setattr


class Message(Struct, frozen=True, kw_only=True):
    """One turn of a conversation. ``text`` joins its text parts by newlines; ``raw`` is the turn as it was sent."""

    role: str
    """user, assistant, tool, or a dialect's own; "" for an item that is nobody's turn or cannot be read."""
    text: str = ""
    raw: Raw = Raw(b"null")
    parts: tuple[str, ...] = ()
    """The kinds of its parts in order, in the field's words: text, image, audio, file, tool_call, tool_result, …"""


class Tool(Struct, frozen=True, kw_only=True):
    """A function the model may call; a built-in tool of the provider has its type as name and no parameters."""

    name: str
    description: str = ""
    parameters: Raw | None = None


#: The turns of a conversation, and apart from them what instructs the model.
Turns = tuple[tuple[Message, ...], str]


class Chat(Struct, frozen=True, kw_only=True, eq=False):
    """A request to a language model: chat, responses, messages, decisions, …"""

    model: str | None = None
    read_turns: Callable[[], Turns] | None = None
    """Gives ``messages`` and ``system``, which most who look at a chat do not need and which can be long."""
    turns: Turns | None = None
    """What it gave, once somebody has asked."""
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    """auto, none, required, or the name of the one tool that must be called."""
    output_schema: Raw | None = None
    """The JSON Schema that the answer must follow."""
    json_output: bool = False
    """Whether the answer must be JSON, of whatever schema."""
    questions: Raw | None = None
    """What a decisions endpoint is asked about the messages, as it was sent."""
    max_output_tokens: int | None = None
    temperature: float | None = None
    stream: bool = False
    stop: tuple[str, ...] = ()
    conversation_id: str | None = None
    """What the provider keeps that the call goes on from: a conversation, or the response before."""

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._turns[0]

    @property
    def system(self) -> str:
        """The instructions, wherever the dialect keeps them; such turns are not in ``messages`` again."""
        return self._turns[1]

    @property
    def _turns(self) -> Turns:
        turns = self.turns
        if turns is None:
            try:
                turns = ((), "") if self.read_turns is None else self.read_turns()
            except (msgspec.MsgspecError, ValueError, RecursionError):  # what they were sent as is none
                turns = ((), "")
            force_setattr(self, "turns", turns)
        return turns


class Speech(Struct, frozen=True, kw_only=True):
    """A request to speak a text."""

    text: str = ""
    ssml: bool = False
    """Whether ``text`` is SSML."""
    model: str | None = None
    voice: str | None = None
    language: str | None = None
    """As the caller wrote it: ``ru`` or ``ru-RU``."""
    format: str | None = None
    """The codec or container asked for, in the field's words: mp3, opus, aac, flac, wav, pcm, mulaw, alaw, ogg, …

    Where none is named, the provider's own if that is known. ``pcm`` is headerless 16-bit little-endian.
    """
    sample_rate: int | None = None
    """In Hz."""
    bit_rate: int | None = None
    """In bit/s."""
    speed: float | None = None
    """1.0 is the voice's normal pace."""
    instructions: str | None = None
    stream: bool = False
    """Whether the answer is to come as events or chunks while it is spoken."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Every other field of the request, in order: a form's or query's as text, JSON's as JSON without white space."""


class Transcription(Struct, frozen=True, kw_only=True):
    """A request to write down what is said in a recording."""

    audio: bytes | None = None
    """The recording's bytes, decoded from base64 or multipart; None if it is elsewhere or not all here."""
    audio_url: str | None = None
    media_type: str | None = None
    """As the caller declared it: ``audio/wav``."""
    filename: str | None = None
    format: str | None = None
    """The codec or container of ``audio`` as declared (encoding, filename, media type), in the words of `Speech`."""
    sample_rate: int | None = None
    model: str | None = None
    language: str | None = None
    """None where the provider is to find it out."""
    prompt: str | None = None
    response_format: str | None = None
    timestamps: tuple[str, ...] = ()
    """word, segment: what is to be timed in the answer."""
    stream: bool = False
    translate: bool = False
    """Whether the text is to be in English whatever is spoken."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Every other field of the request, in order, as in `Speech`."""


Payload = Chat | Speech | Transcription


class Usage(Struct, frozen=True, kw_only=True):
    """What the provider says a call took."""

    input_tokens: int | None = None
    """All of them, those from the provider's cache included, whichever way it counts."""
    output_tokens: int | None = None
    """All of them, those spent on reasoning included."""
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    audio_seconds: float | None = None
    characters: int | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """What an answer says of itself, besides its content."""

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: Usage | None = None
    error_type: str | None = None
    """The provider's own code for what went wrong, where the answer is an error, even one inside a 200."""


_FIELDS = msgspec.json.Decoder(dict[str, Raw])


def edited(body: bytes, changes: Mapping[str, Any]) -> bytes:
    """The JSON object *body* with top-level fields replaced or added; a change to None removes the field.

    The bytes of all other values are kept: big integers, odd escapes and vendor fields survive.

    Raises:
        msgspec.DecodeError: *body* is not a JSON object.
    """
    fields: dict[str, Any] = dict(_FIELDS.decode(body))
    for name, value in changes.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    return msgspec.json.encode(fields)
