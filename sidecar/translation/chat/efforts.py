"""How much a model is to think, in the words of each provider."""

import re
from collections.abc import Mapping
from typing import Final, get_args

from sidecar.translation.chat.ask import Effort

EFFORTS: Final[tuple[Effort, ...]] = get_args(Effort)

#: groq/types/chat/completion_create_params.py: none, default, low, medium, high.
GROQ: Final[Mapping[Effort, str]] = {
    "none": "none",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
#: anthropic/types/output_config_param.py: from low to max; no thinking at all is said elsewhere.
ANTHROPIC: Final[Mapping[Effort, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
#: Tokens for thinking; https://ai.google.dev/gemini-api/docs/openai#thinking maps efforts to them so.
_GEMINI_BUDGETS: Final[Mapping[Effort, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
_GEMINI_LEVELS: Final[Mapping[Effort, str]] = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
#: Models of the second generation know budgets, later ones levels.
_BUDGETED: Final = re.compile(r"(?:.*/)?gemini-[12]\b")
_LOW_TOKENS, _MEDIUM_TOKENS = 2048, 12288


def of_word(word: str | None) -> Effort | None:
    """The effort that *word* means; None for the provider's own choice.

    Raises:
        ValueError: it means none.
    """
    if word is None:
        return None
    lower = word.lower()
    if lower in ("default", "auto", "thinking_level_unspecified"):
        return None
    for effort in EFFORTS:
        if effort == lower:
            return effort
    raise ValueError("no effort is called so")


def of_budget(tokens: int) -> Effort | None:
    """The effort that a number of tokens for thinking comes nearest to; negative ones leave it to the model."""
    if tokens < 0:
        return None
    if tokens == 0:
        return "none"
    return "low" if tokens <= _LOW_TOKENS else "medium" if tokens <= _MEDIUM_TOKENS else "high"


def for_gemini(effort: Effort, model: str) -> dict[str, object]:
    """Members of ``thinkingConfig``."""
    if is_levelled(model):
        return {"thinkingLevel": _GEMINI_LEVELS[effort]}
    return {"thinkingBudget": _GEMINI_BUDGETS[effort]}


def is_levelled(model: str) -> bool:
    """Whether *model* is one of Gemini's from the third generation on."""
    return _BUDGETED.match(model) is None
