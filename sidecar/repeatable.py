"""Whether a call may be sent twice, be it as another try, as a hedge or to somebody else. No I/O.

Every repetition costs: tokens, characters, seconds of audio. What is told here is what it may do besides: call somebody
back twice, add the same turn twice to a conversation that the provider keeps, begin a second job, have a tool act a
second time. A call of which that is not known is not repeated.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from sidecar import multipart
from sidecar.dialect import Call, Operation
from sidecar.exchange import Exchange, Request

_ELSEWHERE: Final = "the answer goes elsewhere as well"
_BUILT: Final = "it goes on from what the provider keeps"
_KEPT: Final = "the provider is to keep the answer"
_ACTS: Final = "the provider runs tools of its own for the answer, and they may act"
_JOB: Final = "it begins a job that goes on by itself"
_UNKNOWN: Final = "nothing is known of what it does"

_SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))

#: Dialect and endpoint -> why none of its calls is to be repeated.
_ENDPOINTS: Final = {
    ("assemblyai", "transcript"): _JOB,
    ("assemblyai", "upload"): "it leaves a recording at the provider",
    ("google_cloud", "speech.longrunningrecognize"): _JOB,
    ("yandex", "stt.v3.recognizeFileAsync"): _JOB,
    ("mistral", "agents.completions"): "the provider keeps the agent that is asked, and what it may do",
    ("elevenlabs", "convai.conversation"): "it begins a conversation with an agent of the provider's, who may act",
    ("deepgram", "agent.socket"): "it begins a conversation with an agent of the provider's, who may act",
}


def _told(value: Any) -> bool:
    """Neither absent nor null, false, 0 or empty."""
    return bool(value)


def _not_refused(value: Any) -> bool:
    """Anything but false: the provider keeps answers unless it is told not to."""
    return value is not False


#: Tools that the agent runs itself: the provider only writes their calls.
_RUN_BY_AGENT: Final = (
    *("function", "custom", "namespace", "computer", "bash_", "memory_", "text_editor_", "local_shell", "apply_patch"),
)
#: Tools of the provider's that look things up, or think, and leave nothing behind.
_LOOK_UP: Final = (
    *("web_search", "web_fetch", "file_search", "google_search", "google_maps", "url_context", "tool_search"),
    *("image_generation", "code_execution", "retrieval", "document_library", "browser_search"),
)
_GEMINI_LOOK_UP: Final = frozenset(
    (
        *("functionDeclarations", "function_declarations", "googleSearch", "google_search", "googleSearchRetrieval"),
        *("google_search_retrieval", "urlContext", "url_context", "codeExecution", "code_execution", "googleMaps"),
        *("google_maps", "fileSearch", "file_search", "retrieval", "enterpriseWebSearch", "enterprise_web_search"),
        *("computerUse", "computer_use"),
    )
)


def _acts(value: Any) -> bool:
    """Whether any of a request's ``tools`` may do more than look something up, or may be one that nobody here knows."""
    listed = value if isinstance(value, list) else [value] if value else []
    return any(_may_act(tool) for tool in listed)


def _may_act(tool: Any) -> bool:
    if not isinstance(tool, dict):
        return True
    kind = tool.get("type")
    if kind is None:  # Anthropic's and Gemini's functions need none
        return not ({"name", "input_schema"} & tool.keys() or tool.keys() <= _GEMINI_LOOK_UP)
    if kind == "code_interpreter":
        return isinstance(tool.get("container"), str)  # one that lasts
    return not str(kind).startswith((*_RUN_BY_AGENT, *_LOOK_UP))


Asks = Callable[[Any], bool]
#: Members of a JSON request: whether their value asks for more than an answer, and why that is.
Members = Mapping[str, tuple[Asks, str]]

_ANYWHERE: Final[Members] = {
    "callback": (_told, _ELSEWHERE),
    "callback_url": (_told, _ELSEWHERE),
    "webhook": (_told, _ELSEWHERE),
    "webhook_url": (_told, _ELSEWHERE),
    "webhook_config": (_told, _ELSEWHERE),
    "webhookConfig": (_told, _ELSEWHERE),
}
_CHAT: Final[Members] = {
    **_ANYWHERE,
    "store": (_told, _KEPT),
    "previous_response_id": (_told, _BUILT),
    "previous_interaction_id": (_told, _BUILT),
    "previousInteractionId": (_told, _BUILT),
    "previous_message_id": (_told, _BUILT),
    "continuation_token": (_told, _BUILT),
    "conversation": (_told, _BUILT),
    "thread": (_told, _BUILT),
    "container": (_told, _BUILT),
    "environment": (_told, _BUILT),
    "background": (_told, _JOB),
    "agent": (_told, "the provider keeps the agent that is asked, and what it may do"),
    "mcp_servers": (_told, _ACTS),
    "tools": (_acts, _ACTS),
}
_KEEPING: Final[Members] = {**_CHAT, "store": (_not_refused, f"{_KEPT}: it does unless store is false")}
#: Those that keep what they are not told to forget. (Groq's Responses API keeps nothing.)
_KEEPERS: Final = frozenset(
    (
        *(("openai", "responses"), ("azure_openai", "responses"), ("mistral", "responses"), ("yandex", "responses")),
        ("gemini", "interactions"),
    )
)
_SPEECH: Final[Members] = {**_ANYWHERE, "save": (_told, "the provider is to keep the speech")}

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_any = msgspec.json.Decoder().decode
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
#: Whose forms have a field for that. (Others are not searched: they may be long.)
_FORMS_THAT_CALL_BACK: Final = frozenset(("elevenlabs",))
_FALSE: Final = frozenset(("", "0", "false", "no", "null", "none"))


def repeatable(exchange: Exchange) -> str | None:
    """Why the call of *exchange* is not to be sent a second time; None if that could do no more than cost.

    An attempt that has done nothing yet may be followed by another for any call (`Failure.may_have_taken_effect`): this
    is about those that may have. The reason has nothing of the call in it. A body that is not in memory cannot be
    judged, and such a call counts as one that is not repeatable.
    """
    call, dialect, request = exchange.call, exchange.provider.dialect, exchange.request
    if call is None or dialect is None:
        return None if request.method in _SAFE_METHODS and not exchange.socket else _UNKNOWN
    if (why := _ENDPOINTS.get((dialect.name, call.endpoint)) or _of_query(request.query)) is not None:
        return why
    if call.socket or request.method in _SAFE_METHODS:
        return None  # what is asked for comes in its frames, and none has been sent; or nothing is
    if request.body.data is None:
        return "what it asks for is not known: its body is on its way"
    return _of_body(call, dialect.name, request, request.body.data)


def _of_query(query: str) -> str | None:
    """Deepgram's callbacks."""
    for item in query.split("&"):
        name, _, value = item.partition("=")
        if name in ("callback", "webhook") and value.lower() not in _FALSE:
            return _ELSEWHERE
    return None


def _of_body(call: Call, dialect: str, request: Request, body: bytes) -> str | None:
    content_type = (request.headers.get("content-type") or "").lower()
    if "multipart/form-data" in content_type:
        return _of_form(request.headers.get("content-type") or "", body) if dialect in _FORMS_THAT_CALL_BACK else None
    if request.headers.get_bytes(b"content-encoding") is None and body[:64].lstrip()[:1] == b"{":
        return _of_json(_members_of(call, dialect), body)
    # sound, SSML and forms have nothing to tell; everything else that a model is asked by is JSON
    return _UNKNOWN if call.operation is Operation.CHAT else None


def _members_of(call: Call, dialect: str) -> Members:
    if call.operation is Operation.CHAT:
        return _KEEPING if (dialect, call.endpoint) in _KEEPERS else _CHAT
    return _SPEECH if call.operation is Operation.TTS else _ANYWHERE


def _of_json(members: Members, body: bytes) -> str | None:
    try:
        request = _object(body)
        for name, (asks, why) in members.items():
            raw = request.get(name)
            if asks(None if raw is None else _any(raw)):
                return why
    except _UNREADABLE:
        return _UNKNOWN
    return None


def _of_form(content_type: str, body: bytes) -> str | None:
    parts = multipart.parse(content_type, body).parts
    asked = [part for part in parts if part.filename is None and part.name in _ANYWHERE]
    return _ELSEWHERE if any(part.text.strip().lower() not in _FALSE for part in asked) else None
