"""Requests for messages, read."""

from typing import Final, Literal

import msgspec
from msgspec import Raw

from sidecar.translation.chat import efforts
from sidecar.translation.chat.ask import Ask, Choice, Effort, Function, Output, Part, Role, Sampling, Text, Turn
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.chat.messages import fields as known
from sidecar.translation.chat.messages.read_blocks import read_blocks
from sidecar.translation.chat.wire import Asked
from sidecar.translation.contract import Inexpressible

_ROLES: Final[dict[str, Role]] = {"assistant": "assistant", "system": "system", "user": "user"}
_MODES: Final[dict[str, Literal["auto", "none", "required"]]] = {
    "any": "required",
    "auto": "auto",
    "none": "none",
    "tool": "required",
}

_string = msgspec.json.Decoder(str).decode


def read_request(asked: Asked, losses: Losses) -> Ask:
    """
    Raises:
        Inexpressible: something in it is known only to its provider.
    """
    fields = Fields(asked.body, losses)
    turns = [_read_turn(raw, losses) for raw in fields.list("messages")]
    first = next((at for at, turn in enumerate(turns) if turn.role != "system"), len(turns))
    own = _texts(fields.raw("system"), losses)
    effort, output = _read_output_config(fields, losses)
    choice, parallel = _read_choice(fields.inner("tool_choice"))
    max_tokens = fields.whole_number("max_tokens")
    if max_tokens == 0:
        losses.cannot("max_tokens", "no other provider reads without answering")
        max_tokens = None
    ask = Ask(
        model=fields.text("model") or "",
        system=(*own, *[turn.text for turn in turns[:first]]),
        turns=tuple(turns[first:]),
        prefill=bool(turns) and turns[-1].role == "assistant",
        tools=_read_tools(fields.list("tools"), losses),
        choice=choice,
        parallel=parallel,
        output=output,
        sampling=Sampling(
            temperature=fields.number("temperature"),
            top_p=fields.number("top_p"),
            top_k=fields.whole_number("top_k"),
        ),
        stop=fields.texts("stop_sequences"),
        max_tokens=max_tokens,
        effort=_read_thinking(fields.inner("thinking"), effort),
        stream=bool(fields.flag("stream")),
        usage=True,
    )
    fields.harmless(known.HARMLESS)
    fields.rest(known.REASONS)
    return ask


def _read_turn(raw: Raw, losses: Losses) -> Turn:
    fields = Fields(raw, losses, "messages")
    role = _ROLES.get(fields.text("role") or "")
    if role is None:
        raise Inexpressible("messages.role", "a role that is not known")
    content = fields.raw("content")
    fields.rest()
    return Turn(role, () if content is None else read_blocks(content, losses))


def _texts(raw: Raw | None, losses: Losses) -> tuple[str, ...]:
    if raw is None:
        return ()
    parts: tuple[Part, ...] = (Text(_string(raw)),) if is_text(raw) else read_blocks(raw, losses)
    text = Turn("system", parts).text
    return (text,) if text else ()


def _read_output_config(fields: Fields, losses: Losses) -> tuple[Effort | None, Output | None]:
    config, effort, form = fields.inner("output_config"), None, fields.inner("output_format")
    if config is not None:
        try:
            effort = efforts.of_word(config.text("effort"))
        except ValueError:
            raise Inexpressible("output_config.effort", "it is none that is known") from None
        form = config.inner("format") or form
        config.rest()
    if form is None:
        return effort, None
    if form.text("type") != "json_schema":
        losses.cannot("output_config.format", "answers can be text or JSON")
        return effort, None
    output = Output(schema=form.raw("schema"))
    form.rest()
    return effort, output


def _read_thinking(thinking: Fields | None, effort: Effort | None) -> Effort | None:
    """Without a word of it models do not think, or decide for themselves, as other providers' do."""
    if thinking is None:
        return effort
    kind, budget = thinking.text("type"), thinking.whole_number("budget_tokens")
    thinking.harmless({"display": "thoughts are sealed by the provider that made them"})
    thinking.rest()
    if kind == "disabled":
        return effort or "none"
    return effort or (None if budget is None else efforts.of_budget(budget))


def _read_tools(raws: list[Raw], losses: Losses) -> tuple[Function, ...]:
    found = []
    for raw in raws:
        tool = Fields(raw, losses, "tools")
        if (tool.text("type") or "custom") != "custom":
            losses.cannot("tools", "built-in tools are not translated")
            continue
        tool.usual(known.USUAL_IN_TOOL)
        tool.harmless(known.HARMLESS_IN_TOOL)
        found.append(
            Function(
                name=tool.text("name") or "",
                description=tool.text("description") or "",
                parameters=tool.raw("input_schema"),
                strict=bool(tool.flag("strict")),
            )
        )
        tool.rest()
    return tuple(found)


def _read_choice(choice: Fields | None) -> tuple[Choice, bool]:
    """What is to be called, and whether several at once."""
    if choice is None:
        return Choice(), True
    kind, name = choice.text("type") or "", choice.text("name")
    parallel = choice.flag("disable_parallel_tool_use") is not True
    choice.rest()
    if kind not in _MODES:
        raise Inexpressible("tool_choice", "it is none that is known")
    return Choice(_MODES[kind], (name,) if name and kind == "tool" else ()), parallel
