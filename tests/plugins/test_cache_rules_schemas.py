"""What may stand in calls of each dialect and endpoint, as the providers document it."""

import random
import string
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sidecar_cache.rules import known_endpoints

Draw = Callable[[random.Random], Any]

KEY, OUT, REFUSED = "key", "out", "refused"
#: Stands for an id that clients draw at random.
ID: Final = "§id"


class Field(NamedTuple):
    where: str
    """path, query, header, body, form, document (JSON in a form), file or bytes."""
    name: str
    """Of a member in a member: ``voice_settings.speed``."""
    draw: Draw
    effect: str = KEY
    needed: bool = False
    default: Any = None
    """What the provider takes where it is absent; None where nobody says."""


class Schema(NamedTuple):
    dialect: str
    endpoint: str
    target: str
    """With the fields of the path in braces."""
    fields: tuple[Field, ...]
    body: str = "json"
    """json, form, pairs or bytes."""


Values = dict[tuple[str, str], Any]

# -- values ------------------------------------------------------------------------------------------------------------

_LETTERS: Final = string.ascii_letters + " .,!?0123456789" + "äéüñПриветмир你好👋" + "é" + '\n\t"\\/\0\x7f\u2028'


def text(draw: random.Random) -> str:
    return "".join(draw.choices(_LETTERS, k=draw.randint(1, 12)))


def name(draw: random.Random) -> str:
    return "".join(draw.choices(string.ascii_letters + string.digits + "-_.:", k=draw.randint(1, 8)))


def segment(draw: random.Random) -> str:
    return "".join(draw.choices(string.ascii_letters + string.digits + "-_", k=draw.randint(1, 8)))


def number(draw: random.Random) -> float:
    return draw.choice((draw.randint(-3, 300), draw.randint(0, 20) + 0.125, draw.random(), 1e-7, 10**20))


def flag(draw: random.Random) -> bool:
    return draw.random() < 0.5


def one(*values: Any) -> Draw:
    return lambda draw: draw.choice(values)


def some(of: Draw) -> Draw:
    return lambda draw: [of(draw) for _ in range(draw.randint(1, 3))]


def several(of: Draw) -> Draw:
    """Distinct ones, as members of a set are."""
    return lambda draw: sorted({of(draw) for _ in range(draw.randint(1, 3))})


def thing(draw: random.Random, depth: int = 2) -> Any:
    kinds: list[Draw] = [text, number, flag]
    if depth < 2:
        kinds.append(lambda _: None)
    if depth:
        kinds += [
            lambda draw: [thing(draw, depth - 1) for _ in range(draw.randint(0, 3))],
            lambda draw: {name(draw): thing(draw, depth - 1) for _ in range(draw.randint(0, 3))},
        ]
    return draw.choice(kinds)(draw)


def objects(draw: random.Random) -> Any:
    return {name(draw): thing(draw) for _ in range(draw.randint(1, 3))}


def recording(draw: random.Random) -> bytes:
    return draw.randbytes(draw.randint(1, 60))


def turns(draw: random.Random) -> Any:
    found: list[Any] = [{"role": "system", "content": text(draw)}] if flag(draw) else []
    for at in range(draw.randint(1, 3)):
        found.append({"role": "user", "content": draw.choice((text(draw), [{"type": "text", "text": text(draw)}]))})
        if flag(draw):
            call = {"id": f"{ID}{at}", "type": "function", "function": {"name": name(draw), "arguments": text(draw)}}
            found.append({"role": "assistant", "content": None, "tool_calls": [call]})
            found.append({"role": "tool", "tool_call_id": f"{ID}{at}", "content": text(draw)})
        elif flag(draw):
            found.append({"role": "assistant", "content": text(draw), "name": name(draw)})
    return found


def items(draw: random.Random) -> Any:
    found: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": text(draw)}]}]
    if flag(draw):
        found.append({"type": "function_call", "call_id": f"{ID}1", "name": name(draw), "arguments": text(draw)})
        found.append({"type": "function_call_output", "call_id": f"{ID}1", "output": text(draw)})
    return draw.choice((found, text(draw)))


def said(draw: random.Random) -> Any:
    return draw.choice((text(draw), [{"role": one("user", "system")(draw), "content": text(draw)} for _ in range(2)]))


def blocks(draw: random.Random) -> Any:
    found: list[Any] = [{"role": "user", "content": text(draw)}]
    if flag(draw):
        use = {"type": "tool_use", "id": f"{ID}1", "name": name(draw), "input": {name(draw): text(draw)}}
        found.append({"role": "assistant", "content": [{"type": "text", "text": text(draw)}, use]})
        found.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"{ID}1", "content": text(draw)}]}
        )
    return found


def contents(draw: random.Random) -> Any:
    parts: list[Any] = [{"text": text(draw)}]
    if flag(draw):
        parts.append({"inlineData": {"mimeType": "audio/wav", "data": recording(draw)}})
    found = [{"role": "user", "parts": parts}]
    if flag(draw):
        called = {"name": name(draw), "args": {f"{name(draw)}_a": text(draw)}}
        found.append({"role": "model", "parts": [{"functionCall": called}]})
    return found


def tools(draw: random.Random) -> Any:
    parameters = {"type": "object", "properties": {f"a_{name(draw)}": {"type": "string"}}}
    function = {"name": name(draw), "description": text(draw), "parameters": parameters}
    return [{"type": "function", "function": function}]


def responses_tools(draw: random.Random) -> Any:
    return [{"type": "function", "name": name(draw), "parameters": objects(draw)}]


def anthropic_tools(draw: random.Random) -> Any:
    return [{"name": name(draw), "description": text(draw), "input_schema": objects(draw)}]


def gemini_tools(draw: random.Random) -> Any:
    return [{"functionDeclarations": [{"name": name(draw), "parametersJsonSchema": objects(draw)}]}]


# -- schemas -----------------------------------------------------------------------------------------------------------


def body(*names: str, draw: Draw = text, effect: str = KEY, needed: bool = False) -> tuple[Field, ...]:
    return tuple(Field("body", each, draw, effect, needed) for each in names)


def query(*names: str, draw: Draw = name, effect: str = KEY) -> tuple[Field, ...]:
    return tuple(Field("query", each, draw, effect) for each in names)


def form(*names: str, draw: Draw = text, effect: str = KEY, needed: bool = False) -> tuple[Field, ...]:
    return tuple(Field("form", each, draw, effect, needed) for each in names)


def header(*names: str) -> tuple[Field, ...]:
    return tuple(Field("header", each, name) for each in names)


def path(*names: str) -> tuple[Field, ...]:
    return tuple(Field("path", each, segment, KEY, True) for each in names)


_ASKED: Final = header("accept", "accept-encoding", "x-vendor") + query("vendor") + query("key", "api_key", "token")
_LIVES: Final = (
    body("store", "background", draw=one(True), effect=REFUSED)
    + body("previous_response_id", "conversation", "container", "previous_interaction_id", effect=REFUSED)
    + body("previousInteractionId", "cachedContent", "cached_content", effect=REFUSED)
    + body("webhook", "callback", "callback_url", draw=one("https://a.example"), effect=REFUSED)
    + body("mcp_servers", draw=some(objects), effect=REFUSED)
    + body("web_search_options", draw=objects, effect=REFUSED)
    + query("callback", effect=REFUSED)
)
_WHO: Final = body("user", "safety_identifier", "prompt_cache_key", effect=OUT) + body(
    "metadata", draw=objects, effect=OUT
)
_STREAM: Final = body("stream", draw=flag, effect=OUT) + body(
    "stream_options", draw=one({"include_usage": True}, {"include_usage": False}), effect=OUT
)
_SAMPLING: Final = body(
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "n", "presence_penalty"),
    *("frequency_penalty", "top_logprobs"),
    draw=number,
)
_CHAT: Final = (
    *_ASKED,
    *_LIVES,
    *_WHO,
    *_STREAM,
    *_SAMPLING,
    *body("model", draw=name, needed=True),
    *body("messages", draw=turns, needed=True),
    *body("tools", draw=tools),
    *body("functions", draw=some(objects)),
    *body("tool_choice", "function_call", draw=one("auto", "none", {"type": "function", "function": {"name": "f"}})),
    *body("parallel_tool_calls", "logprobs", draw=flag),
    *body("response_format", "prediction", "audio", "logit_bias", "prompt_cache_options", draw=objects),
    *body("stop", draw=some(text)),
    *body("modalities", draw=some(name)),
    *body("reasoning_effort", "verbosity", "service_tier", draw=name),
    *body("random_seed", draw=number),
    *body("safe_prompt", draw=flag),
    *body("prompt_mode", "reasoning_format", draw=name),
    *body("documents", draw=some(objects)),
    *body("vendor_option", draw=thing),
)
_COMPLETION: Final = (
    *_ASKED,
    *_LIVES,
    *_WHO,
    *_SAMPLING,
    *body("model", draw=name, needed=True),
    *body("prompt", "suffix", draw=text),
    *body("stop", draw=some(text)),
    *body("stream", "echo", draw=flag),
    *body("vendor_option", draw=thing),
)
_RESPONSES: Final = (
    *(field for field in (*_ASKED, *_LIVES, *_WHO) if field.name != "store"),
    Field("body", "store", one(False), REFUSED, True),
    *body("model", draw=name, needed=True),
    *body("input", draw=items, needed=True),
    *body("instructions"),
    *body("tools", draw=responses_tools),
    *body("text", "reasoning", "prompt", "tool_choice", draw=objects),
    *body("include", draw=some(name)),
    *body("stream", "parallel_tool_calls", draw=flag),
    *body("temperature", "top_p", "max_output_tokens", "max_tool_calls", draw=number),
    *body("truncation", "service_tier", draw=name),
    *body("vendor_option", draw=thing),
)
_DECISIONS: Final = (
    *_ASKED,
    *_LIVES,
    *_WHO,
    *body("model", draw=name, needed=True),
    *body("input", draw=said, needed=True),
    *body("questions", draw=some(objects)),
    *body("vendor_option", draw=thing),
)
_MESSAGES: Final = (
    *_ASKED,
    *_LIVES,
    *header("anthropic-version", "anthropic-beta"),
    *body("metadata", draw=objects, effect=OUT),
    *body("stream", draw=flag, effect=OUT),
    *body("model", draw=name, needed=True),
    *body("messages", draw=blocks, needed=True),
    *body("system"),
    *body("tools", draw=anthropic_tools),
    *body("tool_choice", "output_config", "thinking", "output_format", draw=objects),
    *body("max_tokens", "temperature", "top_p", "top_k", draw=number),
    *body("stop_sequences", draw=some(text)),
    *body("service_tier", "speed", draw=name),
    *body("vendor_option", draw=thing),
)
_CONTENT: Final = (
    *_ASKED,
    *_LIVES,
    *header("x-goog-user-project"),
    *path("model"),
    *body("contents", draw=contents, needed=True),
    *body("systemInstruction", draw=lambda draw: {"parts": [{"text": text(draw)}]}),
    *body("generationConfig.temperature", "generationConfig.topP", "generationConfig.maxOutputTokens", draw=number),
    *body("generationConfig.seed", draw=number),
    *body("generationConfig.responseMimeType", draw=name),
    *body("generationConfig.responseSchema", "generationConfig.responseJsonSchema", draw=objects),
    *body("generationConfig.responseModalities", draw=some(name)),
    *body("generationConfig.speechConfig.voiceConfig.prebuiltVoiceConfig.voiceName", draw=name),
    *body("generationConfig.thinkingConfig.thinkingBudget", draw=number),
    *body("tools", draw=gemini_tools),
    *body("toolConfig.functionCallingConfig.mode", draw=name),
    *body("safetySettings", draw=some(lambda draw: {"category": name(draw), "threshold": name(draw)})),
    *body("labels", "vendorOption", draw=objects),
)
_SPEECH: Final = (
    *_ASKED,
    *body("model", draw=name, needed=True),
    *body("input", needed=True),
    *body("voice", draw=one("alloy", "Alloy", "nova", {"id": "voice_1"}, {"id": "voice_2"})),
    *body("voice_id", "ref_audio", "response_format", "stream_format", draw=name),
    *body("instructions"),
    *body("speed", "sample_rate", draw=number),
    *body("stream", draw=flag),
    *body("vendor_option", draw=thing),
)
_TRANSCRIPTION: Final = (
    *_ASKED,
    Field("file", "file", recording, KEY, True),
    *form("model", draw=name, needed=True),
    *form("language", "prompt", "response_format", "include[]", "languages[]", "keywords[]", "stream", "url"),
    *form("chunking_strategy", "chunking_strategy[type]", "known_speaker_names[]", "known_speaker_references[]"),
    *form("file_url", "file_id", "diarize", "context_bias", "vendor_option"),
    *form("temperature", "chunking_strategy[threshold]", draw=number),
    *form("chunking_strategy[prefix_padding_ms]", "chunking_strategy[silence_duration_ms]", draw=number),
    *form("timestamp_granularities[]", "timestamp_granularities", draw=several(one("word", "segment", "Word"))),
)
_ELEVENLABS: Final = (
    *_ASKED,
    *query("output_format", "optimize_streaming_latency"),
    *query("enable_logging", effect=OUT),
    *query("callback_url", effect=REFUSED),
    *body("previous_request_ids", "next_request_ids", draw=some(name), effect=REFUSED),
    *body("model_id", "language_code", "apply_text_normalization", draw=name),
    *body("apply_language_text_normalization", "use_pvc_as_ivc", draw=flag),
    *body("voice_settings.stability", "voice_settings.similarity_boost", "voice_settings.style", draw=number),
    *body("voice_settings.speed", "seed", draw=number),
    *body("voice_settings.use_speaker_boost", draw=flag),
    *body("previous_text", "next_text"),
    *body("pronunciation_dictionary_locators", draw=some(objects)),
    *body("audio_effects", "vendor_option", draw=objects),
)
_GOOGLE_QUERY: Final = (
    *query("prettyPrint", draw=one("true", "false"), effect=OUT),
    *query("$alt", draw=one("json", "json;enum-encoding=int"), effect=OUT),
    *query("alt", "fields"),
    *header("x-goog-user-project", "x-goog-request-params"),
)
_RECOGNITION: Final = (
    *_ASKED,
    *_GOOGLE_QUERY,
    Field("body", "audio.content", recording, KEY, True),
    *body("audio.uri", draw=name),
    *body("config.encoding", draw=one("LINEAR16", "FLAC", "OGG_OPUS", "MP3")),
    *body("config.sampleRateHertz", "config.audioChannelCount", "config.maxAlternatives", draw=number),
    *body("config.languageCode", "config.model", draw=name),
    *body("config.alternativeLanguageCodes", draw=some(name)),
    *body("config.useEnhanced", "config.enableAutomaticPunctuation", "config.enableWordTimeOffsets", draw=flag),
    *body("config.profanityFilter", draw=flag),
    *body("config.speechContexts", draw=lambda draw: [{"phrases": [text(draw)], "boost": number(draw)}]),
    *body("config.adaptation.phraseSetReferences", draw=some(name)),
    *body("config.diarizationConfig.minSpeakerCount", draw=number),
    *body("vendorOption", draw=thing),
)
_RECOGNITION_V2: Final = (
    *_ASKED,
    *_GOOGLE_QUERY,
    *path("recognizer"),
    Field("body", "content", recording, KEY, True),
    *body("uri", "configMask", "config.model", draw=name),
    *body("config.explicitDecodingConfig.encoding", draw=name),
    *body("config.explicitDecodingConfig.sampleRateHertz", draw=number),
    *body("config.autoDecodingConfig", draw=one({}, {"a": 1})),
    *body("config.languageCodes", draw=some(name)),
    *body("config.features.enableWordTimeOffsets", draw=flag),
    *body("config.translationConfig.targetLanguage", draw=name),
    *body("config.denoiserConfig.denoiseAudio", draw=flag),
    *body("config.adaptation.phraseSets", draw=some(lambda draw: {"phraseSet": name(draw)})),
    *body("vendorOption", draw=thing),
)
_SYNTHESIS: Final = (
    *_ASKED,
    *_GOOGLE_QUERY,
    *body("input.text", needed=True),
    *body("input.ssml", "input.markup", "input.prompt"),
    *body("input.multiSpeakerMarkup.turns", draw=lambda draw: [{"text": text(draw), "speaker": name(draw)}]),
    *body("voice.languageCode", "voice.name", "voice.ssmlGender", "voice.modelName", draw=name),
    *body("voice.voiceClone.voiceCloningKey", draw=name),
    *body("audioConfig.audioEncoding", draw=one("LINEAR16", "MP3", "OGG_OPUS", "PCM")),
    *body("audioConfig.speakingRate", "audioConfig.pitch", "audioConfig.volumeGainDb", draw=number),
    *body("audioConfig.sampleRateHertz", draw=number),
    *body("audioConfig.effectsProfileId", "enableTimePointing", draw=some(name)),
    *body("advancedVoiceOptions.lowLatencyJourneySynthesis", draw=flag),
    *body("vendorOption", draw=thing),
)


#: The request says what kind of audio is wanted; their SDKs accept one and the same for all.
_ACCEPTING: Final = {
    *(("openai", "audio.speech"), ("azure_openai", "audio.speech"), ("groq", "audio.speech")),
    ("cartesia", "tts.bytes"),
}


def _of(dialects: str, endpoint: str, target: str, fields: tuple[Field, ...], kind: str = "json") -> list[Schema]:
    return [Schema(each, endpoint, target, _accepting(each, endpoint, fields), kind) for each in dialects.split()]


def _accepting(dialect: str, endpoint: str, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    if (dialect, endpoint) not in _ACCEPTING:
        return fields
    return tuple(field._replace(effect=OUT) if field[:2] == ("header", "accept") else field for field in fields)


_AZURE: Final = "/openai/deployments/{deployment}"
_DEPLOYED: Final = (*path("deployment"), *query("api-version"))
_OPENAI_LIKE: Final = (
    (
        "chat.completions",
        "chat/completions",
        _CHAT,
        "json",
        "openai azure_openai groq mistral yandex anthropic assemblyai",
    ),
    ("completions", "completions", _COMPLETION, "json", "openai azure_openai groq"),
    ("fim.completions", "fim/completions", _COMPLETION, "json", "mistral"),
    ("responses", "responses", _RESPONSES, "json", "openai azure_openai groq mistral yandex"),
    ("decisions", "decisions", _DECISIONS, "json", "openai azure_openai groq"),
    ("audio.speech", "audio/speech", _SPEECH, "json", "openai azure_openai groq mistral"),
    ("audio.transcriptions", "audio/transcriptions", _TRANSCRIPTION, "form", "openai azure_openai groq mistral"),
    ("audio.translations", "audio/translations", _TRANSCRIPTION, "form", "openai azure_openai groq"),
)
_LISTEN: Final = (
    *_ASKED,
    Field("header", "content-type", one("audio/wav", "audio/l16; rate=8000", "audio/l16; rate=16000"), KEY, True),
    Field("bytes", "", recording, KEY, True),
    *query("mip_opt_out", effect=OUT),
    *query("callback", "callback_method", effect=REFUSED),
    *query("model", "language", "language_hint", "encoding", "sample_rate", "redact", "tag", "extra", "diarize_model"),
    *query("keyterm", "keywords", draw=some(text)),
    *query("detect_language", "smart_format", "punctuate", "diarize", "multichannel", "utterances"),
)
_SPEAK: Final = (
    *_ASKED,
    *query("mip_opt_out", effect=OUT),
    *query("callback", effect=REFUSED),
    *query("model", "encoding", "container", "sample_rate", "bit_rate", "speed", "expressivity", "priority", "tag"),
    *body("text", needed=True),
    *body("url", draw=name),
)
_CARTESIA: Final = (
    *_ASKED,
    *header("cartesia-version"),
    *body("model_id", "language", "locale", "pronunciation_dict_id", "context_id", draw=name),
    *body("transcript", needed=True),
    *body("voice", draw=one({"mode": "id", "id": "a"}, {"mode": "id", "id": "b"}, "a")),
    *body("output_format.container", "output_format.encoding", draw=name),
    *body("output_format.sample_rate", "output_format.bit_rate", "speed", draw=number),
    *body("generation_config.speed", "generation_config.volume", draw=number),
    *body("generation_config.emotion", draw=name),
    *body("normalization", "save", "add_timestamps", draw=flag),
    *body("vendor_option", draw=thing),
)
_ASSEMBLYAI: Final = (
    *_ASKED,
    *header("x-aai-model"),
    Field("file", "audio", recording, KEY, True),
    Field("document", "config", objects, KEY, True),
)
_YANDEX_SPEECH: Final = (
    *_ASKED,
    *header("x-folder-id", "x-data-logging-enabled"),
    *form("text", needed=True),
    *form("ssml", "voice", "emotion", "role", "folderId", "vendor_option"),
    Field("form", "lang", one("ru-RU", "en-US", "kk-KZ"), KEY, False, "ru-RU"),
    Field("form", "format", one("mp3", "oggopus"), KEY, False, "oggopus"),
    *form("speed", "sampleRateHertz", draw=number),
)

SCHEMAS: Final = (
    *(
        schema
        for endpoint, where, fields, kind, dialects in _OPENAI_LIKE
        for dialect in dialects.split()
        for schema in _of(
            dialect,
            endpoint,
            {"azure_openai": _AZURE, "groq": "/openai/v1"}.get(dialect, "/v1") + f"/{where}",
            fields + (_DEPLOYED if dialect == "azure_openai" else ()),
            kind,
        )
    ),
    *_of("gemini", "chat.completions", "/v1beta/openai/chat/completions", _CHAT),
    *_of("anthropic", "messages", "/v1/messages", _MESSAGES),
    *_of("gemini", "generateContent", "/v1beta/models/{model}:generateContent", (*_CONTENT, *query("alt"))),
    *_of(
        "gemini",
        "streamGenerateContent",
        "/v1beta/models/{model}:streamGenerateContent",
        (*_CONTENT, *query("alt", draw=one("sse"), effect=OUT)),
    ),
    *_of("gemini", "decisions", "/v1beta/decisions", tuple(each for each in _DECISIONS if each not in _WHO)),
    *_of(
        "gemini",
        "interactions",
        "/v1beta/interactions",
        tuple(each for each in _RESPONSES if each not in _WHO and each.name != "input") + body("input", draw=said),
    ),
    *(
        schema
        for how in ("", "/stream", "/with-timestamps", "/stream/with-timestamps")
        for kind, extra in (
            ("text-to-speech", (*path("voice"), *body("text", needed=True))),
            (
                "text-to-dialogue",
                body("inputs", draw=some(lambda d: {"text": text(d), "voice_id": name(d)}), needed=True),
            ),
        )
        for schema in _of(
            "elevenlabs",
            kind + how.replace("/", "."),
            f"/v1/{kind}{'/{voice}' if kind == 'text-to-speech' else ''}{how}",
            (*_ELEVENLABS, *extra),
        )
    ),
    *_of(
        "elevenlabs",
        "speech-to-text",
        "/v1/speech-to-text",
        (
            *_ASKED,
            *query("enable_logging", effect=OUT),
            Field("file", "file", recording, KEY, True),
            *form("webhook", draw=one("true"), effect=REFUSED),
            *form("webhook_metadata", "entity_detection", "entity_redaction", draw=one("null"), effect=OUT),
            *form("model_id", "cloud_storage_url", "source_url", "language_code", "timestamps_granularity", "diarize"),
            *form("tag_audio_events", "file_format", "secondary_language_codes", "use_multi_channel", "vendor_option"),
            *form("keyterms", draw=some(text)),
            *form("temperature", "num_speakers", "seed", "diarization_threshold", draw=number),
        ),
        "form",
    ),
    *_of("deepgram", "listen", "/v1/listen", _LISTEN, "bytes"),
    *_of("deepgram", "listen.v2", "/v2/listen", _LISTEN, "bytes"),
    *_of("deepgram", "speak", "/v1/speak", _SPEAK),
    *_of("deepgram", "speak.v2", "/v2/speak", _SPEAK),
    *_of("cartesia", "tts.bytes", "/tts/bytes", _CARTESIA),
    *_of("cartesia", "tts.sse", "/tts/sse", _CARTESIA),
    *_of(
        "cartesia",
        "stt",
        "/stt",
        (
            *_ASKED,
            *header("cartesia-version"),
            *query("encoding", "sample_rate"),
            Field("file", "file", recording, KEY, True),
            *form("model", "language", "encoding", "sample_rate", "vendor_option"),
            *form("timestamp_granularities[]", draw=several(one("word", "segment"))),
        ),
        "form",
    ),
    *_of("assemblyai", "transcribe", "/v1/transcribe", _ASSEMBLYAI, "form"),
    *_of("assemblyai", "transcribe.live", "/v1/transcribe/live", _ASSEMBLYAI, "form"),
    *_of(
        "assemblyai",
        "speech",
        "/v1/speech",
        (
            *_ASKED,
            *body("text", needed=True),
            *body("voice_id", "model_id", "language", "encoding", "container", draw=name),
            *body("sample_rate", "bit_rate", draw=number),
            *body("stream", draw=flag),
            *body("vendor_option", draw=thing),
        ),
    ),
    *_of(
        "azure_speech",
        "recognize",
        "/speech/recognition/{mode}/cognitiveservices/v1",
        (
            *_ASKED,
            Field("path", "mode", one("conversation", "dictation", "interactive"), KEY, True),
            *query("language", "format", "profanity", "cid", "wordLevelTimestamps"),
            Field("header", "content-type", one("audio/wav; codecs=audio/pcm", "audio/ogg; codecs=opus"), KEY, True),
            Field("bytes", "", recording, KEY, True),
        ),
        "bytes",
    ),
    *_of(
        "azure_speech",
        "transcribe",
        "/speechtotext/transcriptions:transcribe",
        (
            *_ASKED,
            *query("api-version"),
            Field("file", "audio", recording, KEY, True),
            Field("document", "definition", objects, KEY, True),
        ),
        "form",
    ),
    *_of(
        "azure_speech",
        "synthesize",
        "/cognitiveservices/v1",
        (
            *_ASKED,
            *header("x-microsoft-outputformat"),
            *query("deploymentId"),
            Field("header", "content-type", one("application/ssml+xml", "text/plain"), KEY, True),
            Field("bytes", "", lambda draw: f"<speak>{text(draw)}</speak>".encode(), KEY, True),
        ),
        "bytes",
    ),
    *_of("google_cloud", "speech.recognize", "/v1/speech:recognize", _RECOGNITION),
    *_of(
        "google_cloud",
        "speech.v2.recognize",
        "/v2/projects/p/locations/l/recognizers/{recognizer}:recognize",
        _RECOGNITION_V2,
    ),
    *_of("google_cloud", "text.synthesize", "/v1/text:synthesize", _SYNTHESIS),
    *_of(
        "yandex",
        "stt.recognize",
        "/speech/v1/stt:recognize",
        (
            *_ASKED,
            *header("x-folder-id"),
            *query("lang", "topic", "profanityFilter", "rawResults", "format", "sampleRateHertz", "folderId"),
            Field("bytes", "", recording, KEY, True),
        ),
        "bytes",
    ),
    *_of("yandex", "tts.synthesize", "/speech/v1/tts:synthesize", _YANDEX_SPEECH, "pairs"),
    *_of(
        "yandex",
        "tts.v3.utteranceSynthesis",
        "/tts/v3/utteranceSynthesis",
        (
            *_ASKED,
            *header("x-folder-id"),
            *body("text", needed=True),
            *body("model", draw=name),
            *body("hints", draw=some(lambda draw: {draw.choice(("voice", "role", "speed")): name(draw)})),
            *body("outputAudioSpec.rawAudio", "outputAudioSpec.containerAudio", draw=objects),
            *body("unsafeMode", draw=flag),
            *body("vendorOption", draw=thing),
        ),
    ),
)


def test_every_endpoint_whose_calls_have_keys_has_a_schema() -> None:
    assert {(schema.dialect, schema.endpoint) for schema in SCHEMAS} == set(known_endpoints())
    assert len(SCHEMAS) == len(known_endpoints())
