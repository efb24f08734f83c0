"""Endpoints of language models."""

from typing import Any, Final

from msgspec.structs import replace

from sidecar_cache.rules import google, turns
from sidecar_cache.rules.endpoint import (
    ARRAY,
    STREAM,
    WHOLE,
    Endpoint,
    Endpoints,
    LeftOut,
    Refusal,
    Takes,
    told,
)
from sidecar_cache.rules.pairs import of_query

_OPENAI_CHAT: Final = (
    *(("openai", "chat.completions"), ("azure_openai", "chat.completions"), ("groq", "chat.completions")),
    *(("mistral", "chat.completions"), ("yandex", "chat.completions"), ("anthropic", "chat.completions")),
    *(("gemini", "chat.completions"), ("assemblyai", "chat.completions")),
)
_CONTENT: Final = (("gemini", "generateContent"), ("gemini", "streamGenerateContent"))
#: Endpoints whose answers can be given as a stream where they were kept whole, and the other way round
#: (`sidecar_cache.forms`). Of all others, the form that is asked for is in the key.
CONVERTIBLE: Final = frozenset((*_OPENAI_CHAT, *_CONTENT, ("anthropic", "messages")))

_WHO: Final = "tells the provider who asks, for its own watch; the answer is the same"
_KEPT: Final = "the provider is to keep the answer"
_BUILT: Final = "the answer is part of a conversation that the provider keeps"
_ELSEWHERE: Final = "the answer goes elsewhere"
_ACTS: Final = "the provider runs tools of its own for the answer"
_FORM: Final = "an answer that is kept is given in either form"

#: What a model's endpoint may have of an answer's life at the provider.
_LIVES: Final = (
    Refusal("store", told, _KEPT),
    Refusal("previous_response_id", told, _BUILT),
    Refusal("previous_interaction_id", told, _BUILT),
    Refusal("previousInteractionId", told, _BUILT),
    Refusal("conversation", told, _BUILT),
    Refusal("container", told, _BUILT),
    Refusal("cached_content", told, _BUILT),
    Refusal("cachedContent", told, _BUILT),
    Refusal("background", told, _BUILT),
    Refusal("webhook", told, _ELSEWHERE),
    Refusal("callback", told, _ELSEWHERE),
    Refusal("callback_url", told, _ELSEWHERE),
    Refusal("mcp_servers", told, _ACTS),
    Refusal("web_search_options", lambda value: value is not None, _ACTS),
)
#: It keeps what it is not told to forget.
_DOES: Final = f"{_KEPT}: it does unless store is false"
_KEEPS: Final = Refusal("store", lambda value: value is not False, _DOES)
_KEEPS_RESPONSE: Final = Refusal(
    "store", lambda value: value is not False, f"{_DOES}; if nobody reads it there, set responses: stateless"
)

_PROMPT_CACHE: Final = LeftOut(
    "prompt_cache_key", "where the provider looks for a prompt it has read; not what it says"
)
_OPENAI_MEMBERS: Final = (
    LeftOut("user", _WHO),
    LeftOut("safety_identifier", _WHO),
    LeftOut("metadata", "labels for the caller's own books; the model never sees them"),
    _PROMPT_CACHE,
)
_STREAMED: Final = (
    ("body", "stream", _FORM),
    ("body", "stream_options", f"{_FORM}; other options than include_usage and include_obfuscation are in the key"),
)
_IDS: Final = "drawn at random; it joins a call to its result, and is renamed by the order of appearance"
_OPENAI_IDS: Final = (
    ("body", "messages[].tool_calls[].id", _IDS),
    ("body", "messages[].tool_call_id", _IDS),
)


def _runs_tools(value: Any) -> bool:
    """Whether there is any tool but functions that the agent runs."""
    listed = value if isinstance(value, list) else [value] if value else []
    return any(not isinstance(tool, dict) or tool.get("type") not in _RUN_BY_AGENT for tool in listed)


_RUN_BY_AGENT: Final = frozenset((None, "function", "custom"))
#: Anthropic's own tools that the agent runs.
_ANTHROPIC_RUN_BY_AGENT: Final = ("bash_", "computer_", "memory_", "text_editor_")


def _anthropic_runs_tools(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value] if value else []
    return any(
        not isinstance(tool, dict)
        or (tool.get("type") not in (None, "custom") and not str(tool.get("type")).startswith(_ANTHROPIC_RUN_BY_AGENT))
        for tool in listed
    )


def _gemini_runs_tools(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value] if value else []
    return any(not isinstance(tool, dict) or not tool.keys() <= _DECLARED for tool in listed)


_DECLARED: Final = frozenset(("functionDeclarations", "function_declarations"))
_TOOLS: Final = Refusal("tools", _runs_tools, _ACTS)


def _openai_chat(dialect: str) -> Endpoint:
    streams = (dialect, "chat.completions") in CONVERTIBLE
    return Endpoint(
        takes=Takes.JSON,
        members=_OPENAI_MEMBERS,
        refusals=(*_LIVES, _TOOLS),
        turns="messages",
        rewrite=turns.of_openai,
        streams=streams,
        otherwise=_OPENAI_IDS + (_STREAMED if streams else ()),
    )


_COMPLETIONS: Final = Endpoint(takes=Takes.JSON, members=_OPENAI_MEMBERS, refusals=_LIVES)
_RESPONSES: Final = Endpoint(
    takes=Takes.JSON,
    members=_OPENAI_MEMBERS,
    refusals=(*_LIVES, _KEEPS_RESPONSE, _TOOLS),
    turns="input",
    rewrite=turns.of_responses,
    otherwise=(("body", "input[].call_id", _IDS),),
)
#: The same where nobody reads a response by its identifier, though the provider keeps it: that of a kept answer is made
#: up. What goes on from a response, or asks in so many words for one to be kept, has no key even so.
_STATELESS_RESPONSES: Final = replace(_RESPONSES, refusals=(*_LIVES, _TOOLS))
_DECISIONS: Final = Endpoint(takes=Takes.JSON, members=_OPENAI_MEMBERS, refusals=_LIVES, turns="input")
_MESSAGES: Final = Endpoint(
    takes=Takes.JSON,
    members=(LeftOut("metadata", _WHO),),
    refusals=(*_LIVES, Refusal("tools", _anthropic_runs_tools, _ACTS)),
    turns="messages",
    rewrite=turns.of_anthropic,
    streams=("anthropic", "messages") in CONVERTIBLE,
    otherwise=(
        ("body", "messages[].content[].id", _IDS),
        ("body", "messages[].content[].tool_use_id", _IDS),
        *(_STREAMED[:1] if ("anthropic", "messages") in CONVERTIBLE else ()),
    ),
)

_VERBS: Final = ("streamGenerateContent", "generateContent")


def _content_path(path: str) -> str:
    return path.removesuffix(_VERBS[0]) + _VERBS[1] if path.endswith(_VERBS[0]) else path


def _content_delivery(path: str, query: str) -> str:
    if not path.endswith(_VERBS[0]):
        return WHOLE
    return STREAM if of_query(query).get("alt") == [b"sse"] else ARRAY


def _content(endpoint: str) -> Endpoint:
    streams = frozenset(_CONTENT) <= CONVERTIBLE
    streamed = endpoint == _VERBS[0] and streams
    return Endpoint(
        takes=Takes.JSON,
        known_as=_VERBS[1] if streams else None,
        query=(LeftOut("alt", _FORM, frozenset(("sse",))),) if streamed else (),
        refusals=(*_LIVES, Refusal("tools", _gemini_runs_tools, _ACTS)),
        turns="contents",
        rewrite=google.generation,
        rewrite_by_samples=google.generation_by_samples,
        path=_content_path if streams else _same,
        delivery=_content_delivery if streams else None,
        otherwise=(google.CASING, google.BASE64, *((("path", "streamGenerateContent", _FORM),) if streamed else ())),
    )


def _same(path: str) -> str:
    return path


_INTERACTIONS: Final = Endpoint(takes=Takes.JSON, refusals=(*_LIVES, _KEEPS, _TOOLS))
_GEMINI_DECISIONS: Final = Endpoint(takes=Takes.JSON, refusals=_LIVES)

_RESPONDING: Final = ("openai", "azure_openai", "groq", "mistral", "yandex")
ENDPOINTS: Final[Endpoints] = {
    **{(dialect, endpoint): _openai_chat(dialect) for dialect, endpoint in _OPENAI_CHAT},
    **{(dialect, "completions"): _COMPLETIONS for dialect in ("openai", "azure_openai", "groq")},
    ("mistral", "fim.completions"): _COMPLETIONS,
    **{(dialect, "responses"): _RESPONSES for dialect in _RESPONDING},
    **{(dialect, "decisions"): _DECISIONS for dialect in ("openai", "azure_openai", "groq")},
    ("anthropic", "messages"): _MESSAGES,
    **{(dialect, endpoint): _content(endpoint) for dialect, endpoint in _CONTENT},
    ("gemini", "interactions"): _INTERACTIONS,
    ("gemini", "decisions"): _GEMINI_DECISIONS,
}
#: In place of the same in `ENDPOINTS`.
STATELESS: Final[Endpoints] = {(dialect, "responses"): _STATELESS_RESPONSES for dialect in _RESPONDING}
