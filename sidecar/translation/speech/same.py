"""A request for a provider that speaks as the agent does: its bytes are kept, only model, voice and text edited where
they stand. No I/O.
"""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec
from msgspec import Raw

from sidecar import credentials
from sidecar.dialect import Call
from sidecar.dialects import members
from sidecar.exchange import Request
from sidecar.payload import edited
from sidecar.translation.contract import Inexpressible, Target
from sidecar.translation.speech import ssml
from sidecar.translation.speech.wires import WIRES
from sidecar.translation.speech.wires.openai import AzureOpenAI, OpenAI

#: Where each dialect has its model, voice and text among the members of its JSON; "" where they stand elsewhere.
_MEMBERS: Final = {
    "assemblyai": ("model_id", "voice_id", "text"),
    "azure_openai": ("model", "voice", "input"),
    "cartesia": ("model_id", "voice", "transcript"),
    "deepgram": ("", "", "text"),
    "elevenlabs": ("model_id", "", "text"),
    "groq": ("model", "voice", "input"),
    "mistral": ("model", "voice_id", "input"),
    "openai": ("model", "voice", "input"),
}
#: What says in a request to Google that several speak.
_SPEAKERS: Final = ("multiSpeakerVoiceConfig", "multi_speaker_voice_config")
_DEPLOYMENT: Final = re.compile(r"(?<=/openai/deployments/)[^/]+")
_MODEL: Final = re.compile(r"(?:(?<=^)|(?<=&))model=[^&]*")
_DEPLOYED: Final = re.compile(r"(?:(?<=^)|(?<=&))deploymentId=[^&]*")
_FORM_VOICE: Final = re.compile(r"(?:(?<=^)|(?<=&))voice=[^&]*")
_FORM_TEXT: Final = re.compile(r"(?:(?<=^)|(?<=&))text=[^&]*")
_FORM_SSML: Final = re.compile(r"(?:(?<=^)|(?<=&))ssml=[^&]*")
_VOICED: Final = re.compile(r"(?<=/text-to-speech/)[^/]+")
_NAME: Final = re.compile(rb"""(?<=[\s])name\s*=\s*("[^"]*"|'[^']*')""")


class Edit:
    """What is to stand where in a request. What is None stays as it is."""

    __slots__ = ("model", "ssml", "text", "voice")

    def __init__(self, target: Target, text: str | None, *, ssml: bool) -> None:
        self.model = target.model
        self.voice = target.voice
        self.text = text
        self.ssml = ssml

    def document(self) -> str:
        """The text as SSML."""
        text = self.text or ""
        return f"<speak>{text if self.ssml else ssml.escaped(text)}</speak>"


def rewritten(
    request: Request, call: Call, source: str, target: Target, text: str | None = None, *, is_ssml: bool = False
) -> Request:
    """*request*, which was made in the dialect *source*, for *target*, which is of the same or of the same family.

    Args:
        text: what is to be spoken instead; where `has_place_for_text` says so.
        is_ssml: whether that is SSML, without its root.

    Raises:
        Inexpressible: what is to be edited is not where it should be.
    """
    edit = Edit(target, text, ssml=is_ssml)
    headers = request.headers.without(*credentials.HEADERS)
    request = request.with_headers(headers).with_target(_without_credentials(request))
    name = target.dialect.name
    if name != source:
        request = _elsewhere(request, call, edit, name)
    if edit.model is None and edit.voice is None and edit.text is None:
        return request
    try:
        return _EDITORS.get(source, _json)(request, call, source, edit)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Inexpressible("call", "what names its model and voice cannot be found in it") from None


def has_place_for_text(request: Request, source: str) -> bool:
    """Whether the text of *request* can be told from the rest, so that another can be put in its place."""
    body = request.body.data or b""
    return source != "azure_speech" and (source != "yandex" or (body.isascii() and b" " not in body))


def _without_credentials(request: Request) -> str:
    kept = [item for item in request.query.split("&") if item.partition("=")[0] not in credentials.QUERY]
    return f"{request.path}?{'&'.join(kept)}" if request.query and kept else request.path


def _elsewhere(request: Request, call: Call, edit: Edit, dialect: str) -> Request:
    """From OpenAI to Azure's and back: what names the model changes its place."""
    edit.model = edit.model or call.model
    wire = WIRES[dialect]
    assert isinstance(wire, AzureOpenAI | OpenAI)
    return request.with_target(wire.path)


def _with_json(request: Request, changes: dict[str, Any]) -> Request:
    return request.with_body(edited(request.body.data or b"", changes)) if changes else request


def _json(request: Request, call: Call, source: str, edit: Edit) -> Request:
    """A voice keeps the form in which it is named: by a text, or by an object with an ``id``."""
    model, voice, text = _MEMBERS[source]
    body = members.of(request.body.data or b"")
    if "inputs" in body and edit.voice is not None:
        raise Inexpressible("voice", "several speak")
    changes: dict[str, Any] = {}
    if edit.model is not None and model:
        changes[model] = edit.model
    if edit.voice is not None and voice:
        named = body.get(voice)
        by_object = members.begins(named, b"{")
        changes[voice] = Raw(edited(bytes(named or b""), {"id": edit.voice})) if by_object else edit.voice
        if source == "mistral" and "ref_audio" in body:
            changes["ref_audio"] = None
    if edit.text is not None:
        changes[text] = edit.text
    return _with_json(request, changes)


def _azure_openai(request: Request, call: Call, source: str, edit: Edit) -> Request:
    if edit.model is not None:
        deployment = quote(edit.model, safe="")
        request = request.with_target(_DEPLOYMENT.sub(lambda _: deployment, request.target, count=1))
    return _json(request, call, source, edit)


def _deepgram(request: Request, call: Call, source: str, edit: Edit) -> Request:
    voice = edit.voice or edit.model
    if voice is not None:
        query = _put(_MODEL, f"model={quote_plus(voice)}", request.query)
        request = request.with_target(f"{request.path}?{query}")
    return _json(request, call, source, edit)


def _elevenlabs(request: Request, call: Call, source: str, edit: Edit) -> Request:
    if edit.voice is not None and call.voice is not None:
        voice = quote(edit.voice, safe="")
        request = request.with_target(_VOICED.sub(lambda _: voice, request.target, count=1))
    return _json(request, call, source, edit)


def _google(request: Request, call: Call, source: str, edit: Edit) -> Request:
    body = members.of(request.body.data or b"")
    changes: dict[str, Any] = {}
    chosen = {"name": edit.voice, "modelName": edit.model, "model_name": edit.model}
    voice = members.of(body.get("voice", Raw(b"{}")))
    if edit.voice is not None and not voice.keys().isdisjoint(_SPEAKERS):
        raise Inexpressible("voice", "several speak")
    spelled = "model_name" if "model_name" in voice else "modelName"
    wanted = {key: value for key, value in chosen.items() if value is not None and key in ("name", spelled)}
    if wanted:
        changes["voice"] = Raw(edited(bytes(body.get("voice", b"{}")), wanted))
    if edit.text is not None:
        said = members.of(body.get("input", Raw(b"{}")))
        place = next((name for name in ("ssml", "text", "markup") if name in said), "text")
        text = edit.document() if place == "ssml" else edit.text
        changes["input"] = Raw(edited(bytes(body.get("input", b"{}")), {place: text}))
    return _with_json(request, changes)


def _yandex(request: Request, call: Call, source: str, edit: Edit) -> Request:
    if call.endpoint != "tts.synthesize":
        raise Inexpressible("call", "its third version is not edited")
    before = body = (request.body.data or b"").decode()
    if edit.voice is not None:
        body = _put(_FORM_VOICE, f"voice={quote_plus(edit.voice)}", body)
    if edit.text is not None:
        in_ssml = _FORM_SSML.search(body) is not None
        pattern, name = (_FORM_SSML, "ssml") if in_ssml else (_FORM_TEXT, "text")
        body = _put(pattern, f"{name}={quote_plus(edit.document() if in_ssml else edit.text)}", body)
    return request if body == before else request.with_body(body.encode())


def _azure_speech(request: Request, call: Call, source: str, edit: Edit) -> Request:
    if edit.model is not None:
        query = _put(_DEPLOYED, f"deploymentId={quote_plus(edit.model)}", request.query)
        request = request.with_target(f"{request.path}?{query}")
    return request if edit.voice is None else request.with_body(_with_voice(request.body.data or b"", edit.voice))


def _with_voice(document: bytes, voice: str) -> bytes:
    markup = ssml.parsed(document.decode())
    voices = [element for element in markup.elements if element.name == "voice"]
    if len({element.attributes.get("name") for element in voices}) > 1:
        raise Inexpressible("voice", "several speak")
    named = b"name=" + ssml.quoted(voice).encode()
    for element in sorted(voices, key=lambda one: one.begin, reverse=True):
        tag = _NAME.sub(lambda _: named, document[element.begin : element.inner], count=1)
        document = document[: element.begin] + tag + document[element.inner :]
    return document


def _put(pattern: re.Pattern[str], field: str, fields: str) -> str:
    """*field* in place of what *pattern* finds in *fields*, or at their end."""
    replaced, count = pattern.subn(lambda _: field, fields)
    return replaced if count else f"{fields}&{field}" if fields else field


_EDITORS: Final[dict[str, Callable[[Request, Call, str, Edit], Request]]] = {
    "azure_openai": _azure_openai,
    "azure_speech": _azure_speech,
    "deepgram": _deepgram,
    "elevenlabs": _elevenlabs,
    "google_cloud": _google,
    "yandex": _yandex,
}
