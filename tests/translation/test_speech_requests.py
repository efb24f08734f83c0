"""What agents ask for, and how that is said to each provider."""

import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest

from sidecar.exchange import Request
from sidecar.translation import Inexpressible, translate
from sidecar.translation.speech import asked
from sidecar.translation.speech.ask import Audio, Manner
from sidecar.translation.speech.wires import WIRES
from tests.corpus import cases
from tests.translation.speaking import (
    DIALECTS,
    TEXT,
    Asking,
    assemblyai,
    azure,
    cartesia,
    eleven,
    exchange,
    google,
    mistral,
    openai,
    target,
    yandex,
)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MP3 = {"X-Microsoft-OutputFormat": "audio-24khz-96kbitrate-mono-mp3"}
MP3_24 = Audio("mp3", "mp3", 24000)
RIFF = {"X-Microsoft-OutputFormat": "Riff-8khz-8bit-mono-Mulaw"}
OPENAI, MISTRAL, GROQ = "/v1/audio/speech", "/v1/audio/speech", "/openai/v1/audio/speech"
ELEVEN, GOOGLE, YANDEX = "/v1/text-to-speech/anna", "/v1/text:synthesize", "/speech/v1/tts:synthesize"

#: A request, and what it asks for.
ASKED: list[tuple[str, Asking, dict[str, Any]]] = [
    (
        "all that OpenAI has",
        Asking("openai", "", OPENAI, openai(response_format="pcm", speed=1.25, instructions="Warm.", user="u")),
        {
            "text": TEXT,
            "audio": Audio("pcm_s16le", "raw", 24000),
            "rate_matters": True,
            "manner": Manner.BYTES,
            "model": "gpt-4o-mini-tts",
            "voice": "coral",
            "speed": 1.25,
            "instructions": "Warm.",
            "lost": {"user"},
        },
    ),
    (
        "as little as OpenAI takes",
        Asking("openai", "", OPENAI, openai(voice={"id": "voice_1"}, speed=None)),
        {"audio": MP3_24, "rate_matters": False, "voice": "voice_1", "speed": None, "language": None},
    ),
    (
        "events",
        Asking("openai", "", OPENAI, openai(stream_format="sse", response_format="wav")),
        {"manner": Manner.EVENTS, "audio": Audio("pcm_s16le", "wav", 24000), "rate_matters": False},
    ),
    (
        "a deployment",
        Asking("azure_openai", "", "/openai/deployments/tts/audio/speech?api-version=x", b'{"input":"a","voice":"b"}'),
        {"model": "tts", "voice": "b"},
    ),
    (
        "Groq's rate",
        Asking("groq", "", GROQ, openai(response_format="mulaw", sample_rate=8000)),
        {"audio": Audio("mulaw", "wav", 8000), "rate_matters": True},
    ),
    (
        "Groq's usual rate",
        Asking("groq", "", GROQ, openai()),
        {"audio": Audio("mp3", "mp3", 48000), "rate_matters": False},
    ),
    (
        "Mistral's events",
        Asking("mistral", "", MISTRAL, mistral(response_format="pcm", stream=True, metadata={}, ref_audio="AAA=")),
        {
            "audio": Audio("pcm_f32le", "raw", 24000),
            "manner": Manner.EVENTS,
            "voice": "gb_jane_neutral",
            "lost": {"metadata", "ref_audio"},
        },
    ),
    ("Mistral's marks", Asking("mistral", "", MISTRAL, mistral("[emotion=happy]Hi")), {"markup": True}),
    (
        "SSML with no more than text in it",
        Asking("azure_speech", "", "/cognitiveservices/v1?deploymentId=d", azure("R&amp;D", "en-GB"), MP3),
        {
            "text": "R&D",
            "ssml": False,
            "voice": "en-US-AvaNeural",
            "language": "en-GB",
            "audio": Audio("mp3", "mp3", 24000, 96000),
            "model": "d",
        },
    ),
    (
        "SSML that means all of the text",
        Asking(
            "azure_speech",
            "",
            "/cognitiveservices/v1",
            azure("<mstts:express-as style='sad'><prosody rate='-10%' pitch='+2st'>Hi</prosody></mstts:express-as>"),
            RIFF,
        ),
        {
            "text": "Hi",
            "ssml": False,
            "speed": 0.9,
            "pitch": 2.0,
            "emotion": "sad",
            "audio": Audio("mulaw", "wav", 8000),
            "manner": Manner.FILE,
        },
    ),
    (
        "SSML with marks",
        Asking("azure_speech", "", "/cognitiveservices/v1", azure("<prosody rate='1.5'>a<break/>b</prosody>"), MP3),
        {"text": "a<break/>b", "ssml": True, "speed": 1.5},
    ),
    (
        "all that ElevenLabs has",
        Asking(
            "elevenlabs",
            "",
            f"{ELEVEN}/stream?output_format=mp3_44100_64&optimize_streaming_latency=3&enable_logging=true",
            eleven(language_code="ru", seed=7, voice_settings={"speed": 1.1, "stability": 0.4}),
        ),
        {
            "audio": Audio("mp3", "mp3", 44100, 64000),
            "rate_matters": True,
            "voice": "anna",
            "language": "ru",
            "speed": 1.1,
            "seed": 7,
            "lost": {"stability", "optimize_streaming_latency", "enable_logging"},
        },
    ),
    (
        "ElevenLabs' usual form",
        Asking("elevenlabs", "", ELEVEN, eleven()),
        {"audio": Audio("mp3", "mp3", 44100), "rate_matters": False, "manner": Manner.BYTES},
    ),
    ("a file", Asking("elevenlabs", "", f"{ELEVEN}?output_format=wav_16000", eleven()), {"manner": Manner.FILE}),
    (
        "times",
        Asking("elevenlabs", "", f"{ELEVEN}/with-timestamps", eleven()),
        {"manner": Manner.DOCUMENT, "timestamps": "characters"},
    ),
    (
        "times as they come",
        Asking("elevenlabs", "", f"{ELEVEN}/stream/with-timestamps", eleven()),
        {"manner": Manner.LINES, "timestamps": "characters"},
    ),
    ("ElevenLabs' pauses", Asking("elevenlabs", "", ELEVEN, eleven('a <break time="1s" /> b')), {"markup": True}),
    ("brackets", Asking("elevenlabs", "", ELEVEN, eleven("[laughs] b")), {"markup": False}),
    (
        "brackets that are heeded",
        Asking("elevenlabs", "", ELEVEN, eleven("[laughs] b", model_id="eleven_v3")),
        {"markup": True},
    ),
    (
        "all that Google has",
        Asking(
            "google_cloud",
            "",
            f"{GOOGLE}?%24alt=json%3Benum-encoding%3Dint&key=secret",
            google(audioEncoding=1, sampleRateHertz="16000", speakingRate=1.5, pitch=-2, volume_gain_db=3),
        ),
        {
            "audio": Audio("pcm_s16le", "wav", 16000),
            "rate_matters": True,
            "manner": Manner.DOCUMENT,
            "language": "en-US",
            "voice": "en-US-Wavenet-F",
            "speed": 1.5,
            "pitch": -2.0,
            "volume": 3.0,
            "lost": {"$alt"},
        },
    ),
    (
        "zero is as good as nothing in protobuf",
        Asking("google_cloud", "", GOOGLE, google(audioEncoding="MP3", speakingRate=0, pitch=0, sampleRateHertz=0)),
        {"speed": None, "pitch": None, "audio": MP3_24, "rate_matters": False},
    ),
    (
        "Google's SSML and prompt",
        Asking(
            "google_cloud",
            "",
            GOOGLE,
            json.dumps(
                {
                    "input": {"ssml": "<speak>a<break/>b</speak>", "prompt": "Warm."},
                    "voice": {"language_code": "ru-RU", "ssmlGender": "FEMALE", "model_name": "gemini-2.5-flash-tts"},
                    "audio_config": {"audio_encoding": "OGG_OPUS"},
                }
            ).encode(),
        ),
        {
            "text": "a<break/>b",
            "ssml": True,
            "instructions": "Warm.",
            "model": "gemini-2.5-flash-tts",
            "language": "ru-RU",
            "voice": None,
            "audio": Audio("opus", "ogg", 48000),
            "lost": {"ssmlGender"},
        },
    ),
    (
        "a form as it should be",
        Asking("yandex", "", YANDEX, yandex(format="lpcm", speed="1.2", emotion="good", folderId="b1g"), FORM),
        {
            "text": TEXT,
            "audio": Audio("pcm_s16le", "raw", 48000),
            "language": "en-US",
            "voice": "john",
            "speed": 1.2,
            "emotion": "good",
            "lost": {"folderId"},
        },
    ),
    (
        "a form as clients write it",
        Asking("yandex", "", YANDEX, "text=Привет & как дела? 100% + 1&voice=alena&format=mp3".encode(), FORM),
        {
            "text": "Привет & как дела? 100% + 1",
            "language": "ru-RU",
            "audio": Audio("mp3", "mp3", 48000),
            "markup": False,
        },
    ),
    (
        "Yandex's simple marks",
        Asking("yandex", "", YANDEX, yandex("з+амок **или** зам+ок, C++"), FORM),
        {"text": "замок или замок, C++", "markup": False, "lost": {"stress"}},
    ),
    ("Yandex's pauses", Asking("yandex", "", YANDEX, yandex("a sil<[300]> b"), FORM), {"markup": True}),
    ("Yandex's phonemes", Asking("yandex", "", YANDEX, yandex("[[p r i]] b"), FORM), {"markup": True}),
    (
        "Yandex's SSML",
        Asking("yandex", "", YANDEX, b"ssml=%3Cspeak%3Ea%3Cbreak%2F%3Eb%3C%2Fspeak%3E&voice=alena", FORM),
        {"text": "a<break/>b", "ssml": True},
    ),
    (
        "all that Cartesia has",
        Asking(
            "cartesia",
            "",
            "/tts/sse",
            json.dumps(
                json.loads(cartesia(container="raw", encoding="pcm_f32le", sample_rate=44100))
                | {"generation_config": {"speed": 1.1, "volume": 2, "emotion": "happy"}, "locale": "en-GB"}
                | {"context_id": "c-1", "save": False, "normalization": "auto", "speed": "normal"}
            ).encode(),
        ),
        {
            "audio": Audio("pcm_f32le", "raw", 44100),
            "manner": Manner.EVENTS,
            "voice": "v",
            "language": "en-GB",
            "speed": 1.1,
            "volume": 6.0206,
            "emotion": "happy",
            "echo": "c-1",
            "lost": {"save", "normalization", "speed"},
        },
    ),
    (
        "Cartesia's MP3",
        Asking("cartesia", "", "/tts/bytes", cartesia(container="mp3", sample_rate=22050, bit_rate=32000)),
        {"audio": Audio("mp3", "mp3", 22050, 32000), "manner": Manner.BYTES},
    ),
    (
        "Deepgram's usual form",
        Asking("deepgram", "", "/v1/speak?model=aura-2-celeste-es&tag=a&tag=b", b'{"text":"Hola"}'),
        {
            "text": "Hola",
            "audio": Audio("mp3", "mp3", 22050),
            "rate_matters": False,
            "voice": "aura-2-celeste-es",
            "language": "es",
            "lost": {"tag"},
        },
    ),
    (
        "Deepgram's samples have a header unless they are to have none",
        Asking("deepgram", "", "/v1/speak?model=m&encoding=mulaw&speed=0.9", b'{"text":"a"}'),
        {"audio": Audio("mulaw", "wav", 8000), "rate_matters": False, "speed": 0.9, "language": None},
    ),
    (
        "and none",
        Asking("deepgram", "", "/v1/speak?model=m&encoding=linear16&container=none", b'{"text":"a"}'),
        {"audio": Audio("pcm_s16le", "raw", 24000), "rate_matters": True},
    ),
    (
        "AssemblyAI's usual form",
        Asking("assemblyai", "", "/v1/speech", assemblyai(language="Spanish", speed=1)),
        {"audio": Audio("pcm_s16le", "raw", 24000), "manner": Manner.FILE, "language": "es", "lost": {"speed"}},
    ),
    (
        "AssemblyAI's stream",
        Asking("assemblyai", "", "/v1/speech", assemblyai(encoding="alaw", container="wav", stream=True)),
        {"audio": Audio("alaw", "wav", 24000), "manner": Manner.BYTES, "rate_matters": False},
    ),
]


@pytest.mark.parametrize(("asking", "expected"), [pytest.param(*rest, id=name) for name, *rest in ASKED])
def test_a_request_is_read_for_what_it_asks(asking: Asking, expected: dict[str, Any]) -> None:
    ask = asked(asking.exchange())
    assert ask.dialect == asking.dialect
    assert {extra.name for extra in ask.extras if extra.harmless} == expected.pop("lost", set())
    assert [extra.name for extra in ask.extras if not extra.harmless] == []
    assert {name: getattr(ask, name) for name in expected} == expected


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case.dialect}-{case.name}")
        for case in cases()
        if case.dialect in WIRES and case.method == "POST"
    ],
)
def test_what_sdks_really_send_is_read(case: Any) -> None:
    made = exchange(
        case.dialect, case.target, case.body, {name.decode(): value.decode() for name, value in case.headers}
    )
    if made.call is None or made.call.socket or made.call.endpoint not in WIRES[case.dialect].endpoints:
        return
    if case.name == "text-to-speech":  # that one asks for a seed
        assert asked(made).seed == 7
    assert asked(made).text


# -- how it is said --------------------------------------------------------------------------------------------------


def said(asking: Asking, to: str, *may_lose: str, **fields: Any) -> Request:
    translated = translate(asking.exchange(), target(to, *may_lose, **fields))
    request = translated.request
    assert request.method == "POST"
    if not {asking.dialect, to} <= {"openai", "azure_openai"}:
        assert request.headers.get("accept-encoding") == "identity"
        assert request.headers.get("user-agent")
    assert request.headers.get("content-length") == str(len(request.body.data or b""))
    assert not {"authorization", "api-key", "xi-api-key"} & {name.decode().lower() for name, _ in request.headers}
    call = translated.call
    assert call == target(to).dialect.recognise("POST", request.path, request.query)
    assert not call.socket
    return request


def body_of(request: Request) -> Any:
    return json.loads(request.body.data or b"")


#: In which everybody can be told.
RICH = Asking(
    "google_cloud",
    "rich",
    GOOGLE,
    json.dumps(
        {
            "input": {"text": "R&D <now>"},
            "voice": {"languageCode": "en-GB", "name": "x"},
            "audioConfig": {"audioEncoding": "LINEAR16", "sampleRateHertz": 24000, "speakingRate": 1.1},
        }
    ).encode(),
)


def test_openai_is_told() -> None:
    request = said(RICH, "openai")
    assert request.target == "/v1/audio/speech"
    assert body_of(request) == {
        "model": "gpt-4o-mini-tts",
        "input": "R&D <now>",
        "voice": "alloy",
        "response_format": "wav",
        "speed": 1.1,
    }


def test_azure_openai_is_told() -> None:
    request = said(RICH, "azure_openai", model="my-deployment")
    assert request.target == "/openai/v1/audio/speech?api-version=preview"
    assert body_of(request)["model"] == "my-deployment"


def test_groq_is_told() -> None:
    request = said(RICH, "groq")
    assert request.target == "/openai/v1/audio/speech"
    assert {"response_format": "wav", "sample_rate": 24000, "speed": 1.1}.items() <= body_of(request).items()


def test_mistral_is_told() -> None:
    request = said(RICH, "mistral", "speed", voice="voice_478")
    assert body_of(request) == {
        "model": "voxtral-mini-tts",
        "input": "R&D <now>",
        "voice_id": "voice_478",
        "response_format": "wav",
        "stream": False,
    }
    flowing = said(Asking("openai", "", OPENAI, openai()), "mistral")
    assert body_of(flowing)["stream"] is True
    assert flowing.headers.get("accept") == "text/event-stream"


def test_azure_is_told_in_ssml() -> None:
    request = said(RICH, "azure_speech", voice="en-GB-O'Neal")
    assert request.target == "/cognitiveservices/v1"
    assert request.headers.get("content-type") == "application/ssml+xml"
    assert request.headers.get("x-microsoft-outputformat") == "riff-24khz-16bit-mono-pcm"
    assert request.body.data == (
        b'<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-GB">'
        b'<voice name="en-GB-O\'Neal"><prosody rate="+10.00%">R&amp;D &lt;now&gt;</prosody></voice></speak>'
    )


def test_azure_is_told_a_style() -> None:
    sad = Asking("cartesia", "", "/tts/bytes", cartesia(container="raw", encoding="pcm_s16le", sample_rate=24000))
    sad = sad._replace(body=json.dumps(json.loads(sad.body) | {"generation_config": {"emotion": "sad"}}).encode())
    request = said(sad, "azure_speech", model="deployed&x")
    assert request.target == "/cognitiveservices/v1?deploymentId=deployed%26x"
    document = (request.body.data or b"").decode()
    assert 'xmlns:mstts="https://www.w3.org/2001/mstts"' in document
    assert f'<mstts:express-as style="sad">{TEXT}</mstts:express-as>' in document


def test_elevenlabs_is_told() -> None:
    request = said(RICH, "elevenlabs", voice="a/b")
    assert request.path == "/v1/text-to-speech/a%2Fb"
    assert parse_qsl(request.query) == [("output_format", "wav_24000")]
    assert body_of(request) == {
        "text": "R&D <now>",
        "model_id": "eleven_flash_v2_5",
        "language_code": "en",
        "voice_settings": {"speed": 1.1},
    }
    flowing = said(Asking("openai", "", OPENAI, openai(response_format="wav")), "elevenlabs")
    assert flowing.target == "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/stream?output_format=pcm_24000"


@pytest.mark.parametrize("model", [None, "eleven_multilingual_v2"])
def test_a_model_that_takes_no_language_is_told_none(model: str | None) -> None:
    assert "language_code" not in body_of(said(RICH, "elevenlabs", model=model))


def test_google_is_told() -> None:
    request = said(Asking("openai", "", OPENAI, openai(response_format="opus", speed=0.5)), "google_cloud")
    assert request.target == "/v1/text:synthesize"
    assert body_of(request) == {
        "input": {"text": TEXT},
        "voice": {"languageCode": "en-US", "name": "en-US-Wavenet-A"},
        "audioConfig": {"audioEncoding": "OGG_OPUS", "sampleRateHertz": 24000, "speakingRate": 0.5},
    }


def test_google_is_prompted_where_the_model_heeds_it() -> None:
    asking = Asking("openai", "", OPENAI, openai(instructions="Warm."))
    request = said(asking, "google_cloud", model="gemini-2.5-flash-tts", voice="en-US-Chirp3-HD-Kore")
    assert body_of(request)["input"] == {"text": TEXT, "prompt": "Warm."}
    with pytest.raises(Inexpressible) as refused:
        translate(asking.exchange(), target("google_cloud"))
    assert refused.value.feature == "instructions"


def test_yandex_is_told_in_a_form() -> None:
    asking = RICH._replace(body=RICH.body.replace(b"24000", b"48000"))
    request = said(asking, "yandex")
    assert request.target == "/speech/v1/tts:synthesize"
    assert request.headers.get("content-type") == "application/x-www-form-urlencoded"
    assert parse_qs((request.body.data or b"").decode(), strict_parsing=True) == {
        "text": ["R&D <now>"],
        "lang": ["en-GB"],
        "voice": ["john"],
        "speed": ["1.1"],
        "format": ["lpcm"],
        "sampleRateHertz": ["48000"],
    }


def test_cartesia_is_told() -> None:
    request = said(RICH, "cartesia")
    assert request.target == "/tts/bytes"
    assert request.headers.get("cartesia-version")
    assert body_of(request) == {
        "model_id": "sonic-3",
        "transcript": "R&D <now>",
        "voice": {"mode": "id", "id": "694f9389-aac1-45b6-b726-9d9369183238"},
        "output_format": {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 24000},
        "language": "en",
        "generation_config": {"speed": 1.1},
    }


@pytest.mark.parametrize("wanted", ["pcm", "wav"])
def test_who_wants_events_is_answered_from_events(wanted: str) -> None:
    """They have a last one, so that what is cut shows."""
    asking = Asking("openai", "", OPENAI, openai(response_format=wanted, stream_format="sse"))
    assert said(asking, "cartesia").target == "/tts/sse"
    told = Asking("mistral", "", MISTRAL, mistral(response_format=wanted, stream=True))
    assert body_of(said(told, "openai"))["stream_format"] == "sse"
    assert "stream_format" not in body_of(said(told, "openai", model="tts-1-hd"))
    assert "stream_format" not in body_of(said(told, "groq"))
    compressed = Asking("mistral", "", MISTRAL, mistral(response_format="mp3", stream=True))
    assert said(compressed, "cartesia").target == "/tts/bytes"


def test_deepgram_is_told_in_the_query() -> None:
    request = said(RICH, "deepgram")
    assert request.path == "/v1/speak"
    assert parse_qs(request.query) == {
        "model": ["aura-2-thalia-en"],
        "encoding": ["linear16"],
        "container": ["wav"],
        "sample_rate": ["24000"],
        "speed": ["1.1"],
    }
    assert body_of(request) == {"text": "R&D <now>"}


def test_deepgrams_newer_voices_have_an_endpoint_of_their_own_and_steps() -> None:
    request = said(RICH._replace(body=RICH.body.replace(b"1.1", b"0.57")), "deepgram", voice="flux-alexis-en")
    assert request.path == "/v2/speak"
    assert parse_qs(request.query)["speed"] == ["0.55"]


def test_deepgrams_model_is_its_voice() -> None:
    assert parse_qs(said(RICH, "deepgram", voice=None, model="aura-2-zeus-en").query)["model"] == ["aura-2-zeus-en"]


def test_assemblyai_is_told() -> None:
    request = said(RICH, "assemblyai", "speed")
    assert request.target == "/v1/speech"
    assert body_of(request) == {
        "text": "R&D <now>",
        "voice_id": "aai-jane",
        "language": "english",
        "encoding": "pcm_s16le",
        "container": "wav",
        "sample_rate": 24000,
        "stream": False,
    }


def test_ssml_gets_the_root_that_each_wants() -> None:
    marked = "a <break time='1s'/> &amp; b"
    asking = Asking(
        "azure_speech",
        "",
        "/cognitiveservices/v1",
        azure(marked),
        MP3 | {"X-Microsoft-OutputFormat": "ogg-48khz-16bit-mono-opus"},
    )
    assert body_of(said(asking, "google_cloud"))["input"] == {"ssml": f"<speak>{marked}</speak>"}
    form = parse_qs((said(asking, "yandex").body.data or b"").decode())
    assert form["ssml"] == [f"<speak>{marked}</speak>"]
    google_asks = Asking(
        "google_cloud",
        "",
        GOOGLE,
        google(audioEncoding="OGG_OPUS").replace(
            b'"text": "We are open."', json.dumps({"ssml": f"<speak>{marked}</speak>"})[1:-1].encode()
        ),
    )
    assert f'<voice name="en-US-JennyNeural">{marked}</voice>'.encode() in (
        said(google_asks, "azure_speech").body.data or b""
    )
    plain = translate(google_asks.exchange(), target("openai", "ssml"))
    assert body_of(plain.request)["input"] == "a & b"
    assert "ssml" in plain.lost


@pytest.mark.parametrize("to", DIALECTS)
def test_what_a_text_says_is_never_changed(to: str) -> None:
    """All scripts, quotation marks, what looks like a mark of somebody else's."""
    text = 'Привет, "мир"! \\ 你好 \U0001f600 é & <b> \' %41 +x #1 \t[note] {pause}'
    asking = Asking(
        "openai", "", OPENAI, openai(text, response_format="opus" if to in ("yandex", "google_cloud") else "mp3")
    )
    request = said(asking, to, "sample_rate")
    data = (request.body.data or b"").decode()
    if to == "yandex":
        assert parse_qs(data)["text"] == [text]
    elif to == "azure_speech":
        assert 'Привет, "мир"! \\ 你好 \U0001f600 é &amp; &lt;b&gt; \' %41 +x #1 \t[note] {pause}' in data
    else:
        assert text in _texts(json.loads(data))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
