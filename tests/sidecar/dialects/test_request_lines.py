"""Which request lines are whose, beyond those that the corpus holds."""

import pytest

from sidecar.dialects import load, names

KNOWN = [
    # dialect, method, path, query -> endpoint, route, model, voice
    ("openai", "POST", "/chat/completions", "", "chat.completions", "/{base}/chat/completions", None, None),
    ("openai", "POST", "/api/v1/completions", "", "completions", "/{base}/completions", None, None),
    ("openai", "POST", "/api/paas/v4/responses", "", "responses", "/{base}/responses", None, None),
    ("openai", "GET", "/v1/realtime", "a=1&model=gpt%2Drealtime", "realtime", "/v1/realtime", "gpt-realtime", None),
    (
        "groq",
        "POST",
        "/openai/v1/audio/translations",
        "",
        "audio.translations",
        "/openai/v1/audio/translations",
        *[None] * 2,
    ),
    ("groq", "POST", "/openai/v1/responses", "", "responses", "/openai/v1/responses", None, None),
    ("mistral", "POST", "/v1/fim/completions", "", "fim.completions", "/v1/fim/completions", None, None),
    ("mistral", "POST", "/v1/agents/completions", "", "agents.completions", "/v1/agents/completions", None, None),
    (
        *("azure_openai", "POST", "/openai/deployments/my%20gpt/chat/completions", "api-version=2024-10-21"),
        *("chat.completions", "/openai/deployments/{deployment}/chat/completions", "my gpt", None),
    ),
    ("azure_openai", "GET", "/openai/v1/realtime", "model=rt", "realtime", "/openai/v1/realtime", "rt", None),
    ("azure_openai", "POST", "/openai/v1/decisions", "", "decisions", "/openai/v1/decisions", None, None),
    (
        *("gemini", "POST", "/v1beta/models/gemini-3-flash%3AgenerateContent", ""),
        *("generateContent", "/v1beta/models/{model}:generateContent", "gemini-3-flash", None),
    ),
    (
        *("gemini", "POST", "/v1beta/tunedModels/mine-1:streamGenerateContent", "alt=sse"),
        *("streamGenerateContent", "/v1beta/tunedModels/{model}:streamGenerateContent", "mine-1", None),
    ),
    (
        *("gemini", "POST", "/v1/projects/p/locations/l/endpoints/42:generateContent", ""),
        *(
            "generateContent",
            "/v1/projects/{project}/locations/{location}/endpoints/{model}:generateContent",
            "42",
            None,
        ),
    ),
    (
        *("gemini", "POST", "/v1/projects/p/locations/l/endpoints/openapi/chat/completions", ""),
        "chat.completions",
        "/v1/projects/{project}/locations/{location}/endpoints/openapi/chat/completions",
        *(None, None),
    ),
    (
        *("gemini", "POST", "/v1beta1/projects/p/locations/l/interactions", ""),
        *("interactions", "/v1beta1/projects/{project}/locations/{location}/interactions", None, None),
    ),
    (
        *("gemini", "GET", "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent", ""),
        *("live", "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent", None, None),
    ),
    ("deepgram", "POST", "/v2/listen", "model=nova-3", "listen.v2", "/v2/listen", "nova-3", None),
    (
        *("elevenlabs", "POST", "/v1/text-to-dialogue/stream/with-timestamps", ""),
        *("text-to-dialogue.stream.with-timestamps", "/v1/text-to-dialogue/stream/with-timestamps", None, None),
    ),
    (
        *("elevenlabs", "GET", "/v1/text-to-dialogue/stream-input", "model_id=eleven_v3"),
        *("text-to-dialogue.stream-input", "/v1/text-to-dialogue/stream-input", "eleven_v3", None),
    ),
    ("assemblyai", "POST", "/v1/transcribe", "", "transcribe", "/v1/transcribe", None, None),
    (
        "google_cloud",
        "POST",
        "/v1p1beta1/speech:recognize",
        "",
        "speech.recognize",
        "/v1p1beta1/speech:recognize",
        *[None] * 2,
    ),
    (
        *("azure_speech", "POST", "/stt/speech/recognition/dictation/cognitiveservices/v1", "language=de-DE"),
        *("recognize", "/stt/speech/recognition/{mode}/cognitiveservices/v1", None, None),
    ),
    ("azure_speech", "POST", "/tts/cognitiveservices/v1", "", "synthesize", "/tts/cognitiveservices/v1", None, None),
    ("azure_speech", "GET", "/speech/universal/v2", "", "recognize.socket", "/speech/universal/v2", None, None),
    ("yandex", "POST", "/v1/responses", "", "responses", "/v1/responses", None, None),
]

UNKNOWN = [
    ("openai", "GET", "/v1/chat/completions"),
    ("openai", "GET", "/v1/chat/completions/chatcmpl-1"),
    ("openai", "DELETE", "/v1/responses"),
    ("openai", "POST", "/v1/responses/resp_1/cancel"),
    ("openai", "POST", "/v1/chat/completions/"),
    ("openai", "POST", "/v1/realtime/client_secrets"),
    ("openai", "POST", "/v1/realtime"),
    ("openai", "POST", "/v1/files"),
    ("openai", "POST", "/admin/completions"),
    ("openai", "GET", "/api/v1/chat/completions"),
    ("azure_openai", "GET", "/openai/deployments/d/chat/completions"),
    ("azure_openai", "POST", "/openai/deployments/d/extensions/chat/completions"),
    ("azure_openai", "POST", "/openai/deployments/d"),
    ("anthropic", "GET", "/v1/messages"),
    ("anthropic", "POST", "/v1/messages/batches"),
    ("gemini", "GET", "/v1beta/models/gemini-3-flash"),
    ("gemini", "GET", "/v1beta/models/gemini-3-flash:generateContent"),
    ("gemini", "POST", "/v1beta/models/gemini-3-flash:embedContent"),
    ("gemini", "GET", "/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateMusic"),
    ("gemini", "PUT", "/v1beta/decisions"),
    ("groq", "POST", "/v1/chat/completions"),
    ("groq", "GET", "/openai/v1/realtime"),
    ("mistral", "POST", "/v1/conversations"),
    ("mistral", "POST", "/v1/ocr"),
    ("deepgram", "PUT", "/v1/listen"),
    ("deepgram", "GET", "/v1/speak/"),
    ("elevenlabs", "GET", "/v1/text-to-speech/voice"),
    ("elevenlabs", "POST", "/v1/text-to-speech/voice/stream-input"),
    ("elevenlabs", "POST", "/v1/text-to-speech"),
    ("elevenlabs", "POST", "/v1/speech-to-speech/voice"),
    ("google_cloud", "GET", "/v1/speech:recognize"),
    ("google_cloud", "POST", "/v1/operations"),
    ("google_cloud", "POST", "/v2/projects/p/locations/l/recognizers/r:batchRecognize"),
    ("yandex", "GET", "/speech/v1/stt:recognize"),
    ("yandex", "GET", "/stt/v3/getRecognition"),
    ("cartesia", "GET", "/stt"),
    ("cartesia", "POST", "/voices"),
    ("assemblyai", "GET", "/v2/transcript"),
    ("assemblyai", "DELETE", "/v2/transcript/t1"),
    ("assemblyai", "GET", "/v2/transcript/t1/srt"),
    ("azure_speech", "PUT", "/speech/recognition/conversation/cognitiveservices/v1"),
    ("azure_speech", "POST", "/cognitiveservices/websocket/v1"),
]


@pytest.mark.parametrize(("dialect", "method", "path", "query", "endpoint", "route", "model", "voice"), KNOWN)
def test_a_known_request_line_is_named(
    dialect: str, method: str, path: str, query: str, endpoint: str, route: str, model: str | None, voice: str | None
) -> None:
    call = load(dialect).recognise(method, path, query)
    assert call is not None
    assert (call.endpoint, call.route, call.model, call.voice) == (endpoint, route, model, voice)


@pytest.mark.parametrize(("dialect", "method", "path"), UNKNOWN)
def test_any_other_request_line_is_left_to_pass(dialect: str, method: str, path: str) -> None:
    assert load(dialect).recognise(method, path, "") is None


@pytest.mark.parametrize("dialect", names())
@pytest.mark.parametrize("path", ["", "/", "*", "//", "/%", "/v1", "/" * 5000, "/v1/" + "a/" * 5000 + "completions"])
@pytest.mark.parametrize("method", ["GET", "POST", "CONNECT", ""])
def test_odd_request_lines_are_left_to_pass(dialect: str, path: str, method: str) -> None:
    assert load(dialect).recognise(method, path, "&=%&model=") is None


def test_an_elevenlabs_voice_in_the_path_is_decoded() -> None:
    call = load("elevenlabs").recognise("POST", "/v1/text-to-speech/my%20voice", "")
    assert call is not None
    assert call.voice == "my voice"


def test_a_session_that_only_transcribes_is_a_call_for_text() -> None:
    call = load("openai").recognise("GET", "/v1/realtime", "intent=transcription&model=whisper-1")
    assert call is not None
    assert (call.operation, call.endpoint, call.socket) == ("stt", "realtime.transcription", True)
