"""The fields of requests for chat completions that are the same to everybody, or make no difference to an answer."""

from collections.abc import Mapping
from typing import Final

#: What an answer does not depend on: name -> why.
HARMLESS: Final[Mapping[str, str]] = {
    "disable_tool_validation": "turns off a check that others do not make (Groq)",
    "include_reasoning": "thoughts are shown to those who can read them (Groq)",
    "metadata": "kept with the answer, for its owner to find it",
    "prediction": "makes an answer come sooner, and no other answer",
    "prompt_cache_key": "where the provider looks for what it has read before",
    "prompt_cache_options": "what the provider keeps of what it has read",
    "prompt_cache_retention": "how long it keeps it",
    "safety_identifier": "tells the provider's users apart when it looks for abuse",
    "service_tier": "which of the provider's queues the call waits in, and its price",
    "store": "whether the provider keeps the answer, for its owner to look at",
    "user": "tells the provider's users apart",
}
#: Values, as JSON, that say what goes without saying.
USUAL: Final[Mapping[str, tuple[bytes, ...]]] = {
    "citation_options": (b'"disabled"',),
    "frequency_penalty": (b"0", b"0.0"),
    "logit_bias": (b"{}",),
    "logprobs": (b"false",),
    "modalities": (b'["text"]',),
    "n": (b"1",),
    "parallel_tool_calls": (b"true",),
    "presence_penalty": (b"0", b"0.0"),
    "prompt_logprobs": (b"false",),
    "reasoning_format": (b'"hidden"', b'"parsed"'),
    "safe_prompt": (b"false",),
    "top_logprobs": (b"0",),
    "verbosity": (b'"medium"',),
}
#: What cannot be said anywhere else: name -> why.
REASONS: Final[Mapping[str, str]] = {
    "agent_id": "the agent is kept by its provider",
    "audio": "no other provider speaks its answers",
    "function_call": "the older form of tools is not translated",
    "functions": "the older form of tools is not translated",
    "logit_bias": "tokens are numbered differently by every model",
    "logprobs": "probabilities of tokens are not translated",
    "modalities": "no other provider speaks its answers",
    "n": "only one answer can be asked for",
    "prompt_logprobs": "probabilities of tokens are not translated",
    "reasoning_format": "thoughts are not mixed into the text",
    "top_logprobs": "probabilities of tokens are not translated",
    "verbosity": "how long answers are cannot be set there",
    "web_search_options": "built-in tools are not translated",
}
#: What Groq takes: groq/types/chat/completion_create_params.py. Of what stands there, https://console.groq.com/docs/openai
#: says that it refuses logit_bias, logprobs, top_logprobs, n above 1, and names in messages.
GROQ: Final = frozenset(
    (
        *("citation_options", "compound_custom", "disable_tool_validation", "documents", "exclude_domains"),
        *("frequency_penalty", "function_call", "functions", "include_domains", "include_reasoning"),
        *("max_completion_tokens", "max_tokens", "messages", "metadata", "model", "parallel_tool_calls"),
        *("presence_penalty", "reasoning_effort", "reasoning_format", "response_format", "search_settings", "seed"),
        *("service_tier", "stop", "store", "stream", "temperature", "tool_choice", "tools", "top_p", "user"),
    )
)
#: What Mistral takes: mistralai/client/models/chatcompletionrequest.py.
MISTRAL: Final = frozenset(
    (
        *("frequency_penalty", "guardrails", "logprobs", "max_tokens", "messages", "metadata", "min_tokens", "model"),
        *("n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_logprobs"),
        *("prompt_mode", "random_seed", "reasoning_effort", "repetition_penalty", "response_format", "safe_prompt"),
        *("service_tier", "stop", "stream", "temperature", "tool_choice", "tools", "top_k", "top_logprobs"),
        *("top_p", "top_prompt_logprobs"),
    )
)
#: What OpenAI and Azure take: openai/types/chat/completion_create_params.py.
OPENAI: Final = frozenset(
    (
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
        *("max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n"),
        *("parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed"),
        *("service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools"),
        *("top_logprobs", "top_p", "user", "verbosity", "web_search_options"),
    )
)
