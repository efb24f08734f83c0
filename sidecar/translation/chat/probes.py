"""What of all that agents can ask of language models can be said elsewhere: found out by asking for it."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from msgspec import Raw
from msgspec.structs import replace

from sidecar.body import Body
from sidecar.dialect import Dialect
from sidecar.dialects import load
from sidecar.exchange import Exchange, Request
from sidecar.notes import Notes
from sidecar.payload import edited
from sidecar.provider import Origin, Provider
from sidecar.translation.chat import translate
from sidecar.translation.chat.ask import (
    Ask,
    Choice,
    Function,
    Media,
    Output,
    Sampling,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from sidecar.translation.chat.completions import COMPLETIONS
from sidecar.translation.chat.completions.styles import style_of
from sidecar.translation.chat.events import ReasoningDelta
from sidecar.translation.chat.losses import Losses
from sidecar.translation.chat.responses import RESPONSES
from sidecar.translation.chat.wire import Agent, Wire
from sidecar.translation.chat.wires import DIALECTS, target_wires
from sidecar.translation.contract import Inexpressible, Target

_YES: Final = "yes"
#: Models that a probe names, where what they are called decides.
_MODELS: Final = {"anthropic": "claude-sonnet-5", "gemini": "gemini-3-flash"}
_USER: Final = Turn("user", (Text("What do you see?"),))
_SAID: Final = Turn("assistant", (Text("I see"),))
_ASK: Final = Ask(model="m", turns=(_USER,), max_tokens=100)
_SCHEMA: Final = Raw(
    b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
)
_OPTIONAL: Final = Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
_LIMITED: Final = Raw(
    b'{"type":"object","properties":{"city":{"type":"string","maxLength":9}},"required":["city"],'
    b'"additionalProperties":false}'
)
_TOOL: Final = Function("weather", "The weather of a city", _SCHEMA)
_OTHER: Final = Function("time", "The time in a city", _SCHEMA)
_CALL: Final = ToolCall("call_1", "weather", '{"city":"Oslo"}')
_GIVEN: Final = ToolResult(id="call_1", name="weather", parts=(Text("rain"),))
_IMAGE: Final = Media(kind="image", media_type="image/png", data="iVBORw0KGgo=")
_URL: Final = "https://example.org/"


def _shown(*media: Media) -> dict[str, Any]:
    return {"turns": (Turn("user", (Text("What is this?"), *media)),)}


def _answered(*parts: Text | Media, failed: bool = False) -> dict[str, Any]:
    given = ToolResult(id="call_1", name="weather", parts=parts, failed=failed)
    return {"turns": (_USER, Turn("assistant", (_CALL,)), Turn("user", (given,))), "tools": (_TOOL,)}


#: What an agent may ask for -> what is then another in its request.
_WISHES: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": {},
    "system": {"system": ("Be short.",)},
    "instructions in the middle of a conversation": {"turns": (_USER, _SAID, Turn("system", (Text("Hurry."),)), _USER)},
    "the assistant speaks first": {"turns": (_SAID, _USER)},
    "images": _shown(_IMAGE),
    "images at a URL": _shown(Media(kind="image", media_type="image/png", url=f"{_URL}a.png")),
    "recordings": _shown(Media(kind="audio", media_type="audio/wav", data="UklGRg==")),
    "PDF files": _shown(Media(kind="file", media_type="application/pdf", data="JVBERi0=", filename="a.pdf")),
    "PDF files at a URL": _shown(Media(kind="file", media_type="application/pdf", url=f"{_URL}a.pdf")),
    "tools": {"tools": (_TOOL,)},
    "results of tools": _answered(Text("rain")),
    "results of tools: images": _answered(_IMAGE),
    "results of tools: failures": _answered(Text("no such city"), failed=True),
    "tool choice: none": {"tools": (_TOOL,), "choice": Choice("none")},
    "tool choice: any": {"tools": (_TOOL,), "choice": Choice("required")},
    "tool choice: one": {"tools": (_TOOL, _OTHER), "choice": Choice("required", ("time",))},
    "one tool at a time": {"tools": (_TOOL,), "parallel": False},
    "tools: strict": {"tools": (replace(_TOOL, strict=True),)},
    "JSON": {"output": Output()},
    "JSON schema": {"output": Output(_SCHEMA, "place")},
    "JSON schema: properties that may be missing": {"output": Output(_OPTIONAL, "place")},
    "JSON schema: limits of values": {"output": Output(_LIMITED, "place")},
    "stop": {"stop": ("END",)},
    "no limit of tokens": {"max_tokens": None},
    "temperature": {"sampling": Sampling(temperature=0.5)},
    "top_p": {"sampling": Sampling(top_p=0.5)},
    "top_k": {"sampling": Sampling(top_k=40)},
    "seed": {"sampling": Sampling(seed=1)},
    "penalties": {"sampling": Sampling(frequency_penalty=0.5, presence_penalty=0.5)},
    "reasoning effort": {"effort": "low"},
    "reasoning effort: none": {"effort": "none"},
    "verbosity": {"verbosity": "low"},
    "prefill": {"turns": (_USER, _SAID), "prefill": True},
    "streaming": {"stream": True},
}
_SEARCH: Final = {"type": "web_search"}
#: By endpoint, what only its own agents can ask for -> fields of their requests.
_OWN: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "chat.completions": {
        "several answers": {"n": 2},
        "probabilities of tokens": {"logprobs": True},
        "biases of tokens": {"logit_bias": {"1": 1}},
        "predicted answers": {"prediction": {"type": "content", "content": "I see"}},
        "spoken answers": {"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "wav"}},
        "tools: the provider's own": {"web_search_options": {}},
    },
    "generateContent": {
        "spoken answers": {"generationConfig": {"responseModalities": ["AUDIO"]}},
        "cached content": {"cachedContent": "cachedContents/1"},
        "tools: the provider's own": {"tools": [{"googleSearch": {}}]},
    },
    "messages": {
        "prompt caching": {"cache_control": {"type": "ephemeral"}},
        "containers": {"container": "container_1"},
        "tools: the provider's own": {"tools": [{**_SEARCH, "type": "web_search_20250305", "name": "web_search"}]},
    },
    "responses": {
        "stored answers": {"store": True},
        "stored conversations": {"previous_response_id": "resp_1"},
        "answers in the background": {"background": True},
        "tools: the provider's own": {"tools": [_SEARCH]},
    },
}


def expressible(source: str, target: str) -> dict[str, str]:
    """See `sidecar.translation.chat.expressible`."""
    if source not in DIALECTS or target not in DIALECTS:
        return {}
    dialect, found = load(source), {}
    for wire in target_wires(dialect):
        named = "responses: " if wire is RESPONSES else ""
        probes = _probes(source, wire)
        for feature, exchange in probes.items():
            found[named + feature] = _said(exchange, target)
        found[named + "thoughts"] = _thoughts(dialect, wire) if source != target else _YES
    return found


def _thoughts(dialect: Dialect, wire: Wire) -> str:
    """Whether agents of *dialect* are shown what a model thinks, if another provider tells."""
    shown = wire.writer(Agent(dialect=dialect, model="m", stream=True, thoughts=True)).write(ReasoningDelta("hm"))
    usual = dialect.name in ("groq", "mistral", "gemini")
    return _YES if shown and usual else "what a model thinks is sealed by its provider, or not told"


@cache
def _probes(source: str, wire: Wire) -> Mapping[str, Exchange]:
    """Requests as agents of *source* write them, by what they ask for; what they cannot ask for is not there."""
    dialect, found = load(source), {}
    for feature, changes in _WISHES.items():
        ask = replace(_ASK, model=_MODELS.get(source, "m"), **changes)
        if feature == "prefill" and source == "anthropic":
            ask = replace(ask, model="claude-sonnet-4-5")
        losses = Losses()
        try:
            written = wire.write_request(ask, dialect, losses)
        except Inexpressible:
            continue
        told = feature != "no limit of tokens" or b'"max_' not in written.body
        if told and not losses.lost:
            found[feature] = _exchange(dialect, written.target, written.body)
    plain = found["text"]
    call, body = plain.call, plain.request.body.data
    if call is not None and body is not None:
        for feature, fields in _OWN[call.endpoint].items():
            if wire is not COMPLETIONS or fields.keys() <= style_of(source).takes:
                found[feature] = _exchange(dialect, plain.request.target, edited(body, fields))
    return found


def _exchange(dialect: Dialect, target: str, body: bytes) -> Exchange:
    provider = Provider(name="probe", origin=Origin("https", "probe.invalid", 443), dialect=dialect)
    path, _, query = target.partition("?")
    return Exchange(
        id="0" * 32,
        request=Request(method="POST", target=target, body=Body(body)),
        provider=provider,
        candidates=(provider,),
        notes=Notes(0.0),
        call=dialect.recognise("POST", path, query),
    )


def _said(exchange: Exchange, target: str) -> str:
    try:
        translated = translate(exchange, Target(dialect=load(target), model=_MODELS.get(target, "m")))
    except Inexpressible as reason:
        return reason.reason
    return f"yes, without {', '.join(translated.lost)}" if translated.lost else _YES
