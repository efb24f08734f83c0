"""Requests for chat completions, read."""

from typing import Final, Literal

import msgspec
from msgspec import Raw

from sidecar.translation.chat import efforts
from sidecar.translation.chat.ask import Ask, Choice, Effort, Function, Output, Sampling
from sidecar.translation.chat.completions import fields as known
from sidecar.translation.chat.completions.read_messages import read_messages
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.chat.wire import Asked
from sidecar.translation.contract import Inexpressible

_MODES: Final[dict[str, Literal["auto", "none", "required"]]] = {
    "any": "required",
    "auto": "auto",
    "none": "none",
    "required": "required",
}
_VERBOSITIES: Final[dict[str, Literal["low", "medium", "high"]]] = {"low": "low", "medium": "medium", "high": "high"}

_string = msgspec.json.Decoder(str).decode


def read_request(asked: Asked, losses: Losses) -> Ask:
    """
    Raises:
        Inexpressible: something in it is known only to its provider.
    """
    fields = Fields(asked.body, losses)
    fields.usual(known.USUAL)
    model = fields.text("model") or asked.call.model or ""
    system, turns, prefill = read_messages(fields.list("messages"), losses)
    effort = read_effort(fields, "reasoning_effort")
    thoughts = shows_thoughts(asked.dialect.name, effort, included=fields.flag("include_reasoning"))
    ask = Ask(
        model=model,
        system=system,
        turns=turns,
        prefill=prefill,
        tools=read_tools(fields.list("tools"), losses),
        choice=read_choice(fields.raw("tool_choice"), losses),
        parallel=fields.flag("parallel_tool_calls") is not False,
        output=read_output(fields.inner("response_format"), losses),
        sampling=read_sampling(fields),
        stop=fields.texts("stop"),
        max_tokens=_max_tokens(fields),
        effort=effort,
        verbosity=read_verbosity(fields),
        stream=bool(fields.flag("stream")),
        usage=read_stream_options(fields.inner("stream_options")),
        thoughts=thoughts,
    )
    fields.harmless(known.HARMLESS)
    fields.rest(known.REASONS)
    return ask


def _max_tokens(fields: Fields) -> int | None:
    older, newer = fields.whole_number("max_tokens"), fields.whole_number("max_completion_tokens")
    return older if newer is None else newer


def read_effort(fields: Fields, name: str) -> Effort | None:
    """
    Raises:
        Inexpressible: its word is none that is known.
    """
    try:
        return efforts.of_word(fields.text(name))
    except ValueError:
        raise Inexpressible(fields.name(name), "it is none that is known") from None


def read_verbosity(fields: Fields) -> Literal["low", "medium", "high"] | None:
    """
    Raises:
        Inexpressible: its word is none that is known.
    """
    word = fields.text("verbosity")
    if word is not None and word not in _VERBOSITIES:
        raise Inexpressible(fields.name("verbosity"), "it is none that is known")
    return None if word is None or word == "medium" else _VERBOSITIES[word]


def read_sampling(fields: Fields) -> Sampling:
    seed, other_seed = fields.whole_number("seed"), fields.whole_number("random_seed")
    return Sampling(
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.whole_number("top_k"),
        seed=other_seed if seed is None else seed,
        frequency_penalty=fields.number("frequency_penalty"),
        presence_penalty=fields.number("presence_penalty"),
    )


def shows_thoughts(dialect: str, effort: str | None, *, included: bool | None) -> bool:
    """Whether the agent is used to reading what models think: OpenAI's never tell, Mistral's if they are to think.

    Args:
        effort: how much it asks them to.
        included: Groq's ``include_reasoning``.
    """
    return (dialect == "groq" and included is not False) or (dialect == "mistral" and effort not in (None, "none"))


def read_stream_options(options: Fields | None) -> bool:
    """Whether a stream is to say what was used."""
    if options is None:
        return False
    usage = options.flag("include_usage")
    options.harmless({"include_obfuscation": "letters that only hide how long the pieces are"})
    options.rest()
    return bool(usage)


def read_tools(raws: list[Raw], losses: Losses) -> tuple[Function, ...]:
    found = []
    for raw in raws:
        tool = Fields(raw, losses, "tools")
        kind = tool.text("type") or "function"
        function = tool.inner("function")
        if kind != "function" or function is None:
            losses.cannot("tools", "tools that are no functions of the agent's are not translated")
            continue
        found.append(read_function(function))
        tool.harmless({"cache_control": "what the provider is to keep of what it has read"})
        tool.rest()
    return tuple(found)


def read_function(function: Fields) -> Function:
    """A function by name, description, parameters, strict; nothing else is left over."""
    made = Function(
        name=function.text("name") or "",
        description=function.text("description") or "",
        parameters=function.raw("parameters"),
        strict=bool(function.flag("strict")),
    )
    function.rest()
    return made


def read_choice(raw: Raw | None, losses: Losses) -> Choice:
    if raw is None:
        return Choice()
    if is_text(raw):
        word = _string(raw)
        if word not in _MODES:
            raise Inexpressible("tool_choice", "it is none that is known")
        return Choice(_MODES[word])
    choice = Fields(raw, losses, "tool_choice")
    kind = choice.text("type") or "function"
    if kind == "allowed_tools":
        return _allowed(choice.inner("allowed_tools") or choice, losses)
    named = choice.inner("function") or choice
    name = named.text("name") if kind == "function" else None
    if name is None:
        losses.cannot("tool_choice", "tools that are no functions of the agent's are not translated")
        return Choice()
    named.rest()
    choice.rest()
    return Choice("required", (name,))


def _allowed(allowed: Fields, losses: Losses) -> Choice:
    mode = allowed.text("mode") or "auto"
    names = []
    for raw in allowed.list("tools"):
        tool = Fields(raw, losses, "tool_choice")
        name = (tool.inner("function") or tool).text("name")
        if name is None or (tool.text("type") or "function") != "function":
            losses.cannot("tool_choice", "tools that are no functions of the agent's are not translated")
        else:
            names.append(name)
    if mode not in _MODES:
        raise Inexpressible("tool_choice", "it is none that is known")
    return Choice(_MODES[mode], tuple(names))


def read_output(form: Fields | None, losses: Losses) -> Output | None:
    """What ``response_format`` asks for; the Responses API has the members of ``json_schema`` in one with it."""
    if form is None:
        return None
    kind = form.text("type") or "text"
    if kind in ("text", "json_object"):
        form.rest()
        return None if kind == "text" else Output()
    if kind != "json_schema":
        losses.cannot("response_format", "answers can be text or JSON")
        return None
    outer, form = form, form.inner("json_schema") or form
    output = Output(
        schema=form.raw("schema"),
        name=form.text("name") or "",
        description=form.text("description") or "",
        strict=bool(form.flag("strict")),
    )
    form.rest()
    outer.rest()
    return output
