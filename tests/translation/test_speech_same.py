"""A provider that speaks as the agent does: the agent's bytes, with model and voice edited where they stand."""

import json

import pytest

from sidecar import credentials, dialects
from sidecar.dialect import Operation
from sidecar.translation import Inexpressible, translate
from tests.corpus import Case, cases
from tests.translation.speaking import DIALECTS, Asking, azure, exchange, openai, target

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SSML = {"Content-Type": "application/ssml+xml"}
DEPLOYED = "/openai/deployments/tts/audio/speech?api-version=2025-03-01-preview"
GOOGLE = "/v1/text:synthesize"

#: A request; model and voice to put in; target and body as they are then.
EDITED: list[tuple[Asking, str | None, str | None, str, bytes]] = [
    (
        Asking("openai", "", "/any/audio/speech", b'{"model":"a","input":"\\u0041","voice":"b","x":1e400}'),
        "m",
        "v",
        "/any/audio/speech",
        b'{"model":"m","input":"\\u0041","voice":"v","x":1e400}',
    ),
    (
        Asking("openai", "", "/v1/audio/speech", b'{"model":"a","voice":{"id":"b","x":1}}'),
        None,
        "v",
        "/v1/audio/speech",
        b'{"model":"a","voice":{"id":"v","x":1}}',
    ),
    (
        Asking("azure_openai", "", DEPLOYED, b'{"model":"tts","input":"a","voice":"b"}'),
        "x/y",
        None,
        DEPLOYED.replace("/tts/", "/x%2Fy/"),
        b'{"model":"x/y","input":"a","voice":"b"}',
    ),
    (
        Asking("mistral", "", "/v1/audio/speech", b'{"input":"a","ref_audio":"AAAA"}'),
        "m",
        "v",
        "/v1/audio/speech",
        b'{"input":"a","model":"m","voice_id":"v"}',
    ),
    (
        Asking("elevenlabs", "", "/v1/text-to-speech/a%20b/stream?output_format=pcm_16000&token=s", b'{"text":"a"}'),
        "m",
        "c/d",
        "/v1/text-to-speech/c%2Fd/stream?output_format=pcm_16000",
        b'{"text":"a","model_id":"m"}',
    ),
    (
        Asking(
            "google_cloud", "", f"{GOOGLE}?key=secret", b'{"voice":{"language_code":"ru","model_name":"a"},"x":[1]}'
        ),
        "m",
        "v",
        GOOGLE,
        b'{"voice":{"language_code":"ru","model_name":"m","name":"v"},"x":[1]}',
    ),
    (
        Asking("google_cloud", "", GOOGLE, b'{"input":{"text":"a"}}'),
        None,
        "v",
        GOOGLE,
        b'{"input":{"text":"a"},"voice":{"name":"v"}}',
    ),
    (
        Asking("yandex", "", "/speech/v1/tts:synthesize", "text=Да & нет&voice=alena&speed=1.0".encode(), FORM),
        "m",
        "filipp",
        "/speech/v1/tts:synthesize",
        "text=Да & нет&voice=filipp&speed=1.0".encode(),
    ),
    (
        Asking("yandex", "", "/speech/v1/tts:synthesize", b"text=%D0%94%D0%B0", FORM),
        None,
        "john",
        "/speech/v1/tts:synthesize",
        b"text=%D0%94%D0%B0&voice=john",
    ),
    (
        Asking("cartesia", "", "/tts/sse", b'{"voice":{"mode":"id","id":"a"},"y":2}'),
        "m",
        "v",
        "/tts/sse",
        b'{"voice":{"mode":"id","id":"v"},"y":2,"model_id":"m"}',
    ),
    (Asking("cartesia", "", "/tts/sse", b'{"voice":"a"}'), None, "v", "/tts/sse", b'{"voice":"v"}'),
    (
        Asking("deepgram", "", "/v1/speak?encoding=mulaw&model=a-en&x=model%3D1", b'{"text": "a"}'),
        "ignored",
        "b-en",
        "/v1/speak?encoding=mulaw&model=b-en&x=model%3D1",
        b'{"text": "a"}',
    ),
    (Asking("deepgram", "", "/v1/speak", b'{"text":"a"}'), "b-en", None, "/v1/speak?model=b-en", b'{"text":"a"}'),
    (
        Asking("assemblyai", "", "/v1/speech", b'{"text":"a","voice_id":"b"}'),
        "m",
        "v",
        "/v1/speech",
        b'{"text":"a","voice_id":"v","model_id":"m"}',
    ),
    (
        Asking(
            "azure_speech",
            "",
            "/cognitiveservices/v1",
            b"<speak xml:lang='ru'><voice xml:lang='ru' name = 'a'>\xd0\x94<x name='k'/></voice>"
            b"<voice name='a'/></speak>",
            SSML,
        ),
        "d",
        "b'\"c",
        "/cognitiveservices/v1?deploymentId=d",
        b"<speak xml:lang='ru'><voice xml:lang='ru' name=\"b'&quot;c\">\xd0\x94<x name='k'/></voice>"
        b'<voice name="b\'&quot;c"/></speak>',
    ),
]


@pytest.mark.parametrize(("asking", "model", "voice", "where", "body"), EDITED)
def test_model_and_voice_are_edited_where_they_stand(
    asking: Asking, model: str | None, voice: str | None, where: str, body: bytes
) -> None:
    translated = translate(asking.exchange(), target(asking.dialect, model=model, voice=voice))
    request = translated.request
    assert (request.target, request.body.data) == (where, body)
    assert request.headers.get("content-length") == str(len(body))
    assert translated.lost == ()


SPOKEN = [
    case
    for case in cases()
    if case.dialect in DIALECTS
    and (call := dialects.load(case.dialect).recognise(case.method, case.path, case.query)) is not None
    and call.operation is Operation.TTS
    and not call.socket
]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.dialect}-{case.name}") for case in SPOKEN])
def test_without_anything_to_edit_only_what_identifies_the_agent_is_missing(case: Case) -> None:
    headers = {name.decode(): value.decode() for name, value in case.headers}
    made = exchange(case.dialect, case.target, case.body, headers)
    request = translate(made, target(case.dialect, model=None, voice=None)).request
    assert request.body.data == case.body
    assert request.path == case.path
    kept = [(name, value) for name, value in made.request.headers if name.decode().lower() not in credentials.HEADERS]
    assert list(request.headers) == kept
    assert len(kept) < len(made.request.headers)


@pytest.mark.parametrize(
    ("asking", "words"),
    [
        (
            Asking("elevenlabs", "", "/v1/text-to-dialogue", b'{"inputs":[{"text":"a","voice_id":"b"}]}'),
            "several speak",
        ),
        (Asking("google_cloud", "", GOOGLE, b'{"voice":{"multiSpeakerVoiceConfig":{}}}'), "several speak"),
        (
            Asking("azure_speech", "", "/cognitiveservices/v1", azure("a</voice><voice name='c'>b"), SSML),
            "several speak",
        ),
        (Asking("azure_speech", "", "/cognitiveservices/v1", b"<speak>", SSML), "well-formed"),
        (Asking("azure_speech", "", "/cognitiveservices/v1", b"\xff", SSML), "cannot be found"),
        (Asking("openai", "", "/v1/audio/speech", b"[]"), "cannot be found"),
        (Asking("cartesia", "", "/tts/sse", b"{"), "cannot be found"),
        (Asking("google_cloud", "", GOOGLE, b'{"voice":1}'), "cannot be found"),
        (Asking("yandex", "", "/tts/v3/utteranceSynthesis", b'{"text":"a"}'), "third version"),
    ],
)
def test_what_cannot_be_edited_is_refused(asking: Asking, words: str) -> None:
    with pytest.raises(Inexpressible, match=words):
        translate(asking.exchange(), target(asking.dialect, voice="other"))


def test_from_openai_to_azures_and_back_only_the_place_changes() -> None:
    body = openai(shiny=1)
    there = translate(
        Asking("openai", "", "/v1/audio/speech", body).exchange(), target("azure_openai", model="d", voice=None)
    )
    assert there.request.target == "/openai/v1/audio/speech?api-version=preview"
    assert json.loads(there.request.body.data or b"") == json.loads(body) | {"model": "d"}
    back = translate(Asking("azure_openai", "", DEPLOYED, body).exchange(), target("openai", model=None, voice=None))
    assert back.request.target == "/v1/audio/speech"
    assert json.loads(back.request.body.data or b"") == json.loads(body) | {"model": "tts"}
