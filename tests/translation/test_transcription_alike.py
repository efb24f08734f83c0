"""Providers of one dialect, and those who follow OpenAI, get the agent's own bytes but for the model."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import multipart
from sidecar.translation import Inexpressible, Translated, translate
from tests.translation import listening
from tests.translation.listening import BOUNDARY, DIALECTS, RECOGNIZER, WAV, Call, answer, fields_of, plain, target

NEW = "another model"
KIN = ("openai", "azure_openai", "groq")


def translated(call: Call, to: str, **fields: Any) -> Translated:
    return translate(call.exchange(), target(to, **fields))


def framed(*parts: bytes, end: bytes = b"\r\n", closing: bytes = b"--\r\n") -> bytes:
    delimiter = b"--" + BOUNDARY.encode()
    return b"".join(delimiter + end + part + end for part in parts) + delimiter + closing


#: Calls whose bytes are odd, by wire: what a copy would lose.
ODD: dict[str, Call] = {
    "openai": listening.openai()._replace(
        body=b"preamble\r\n"
        + framed(
            b'content-disposition: form-data; name="x-odd"\r\n\r\n ',
            b"Content-Disposition: form-data; name=model\r\n\r\nwhisper-1",
            b'Content-Disposition: form-data; name="model"\r\n\r\nsecond',
            b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nX-Odd: 1\r\n\r\n' + WAV,
        )
        + b"epilogue"
    ),
    "mistral": listening.mistral()._replace(
        body=framed(
            b'Content-Disposition: form-data; name="model"\n\nvoxtral',
            b'Content-Disposition: form-data; name="file"; filename="a.wav"\n\n' + WAV,
            end=b"\n",
            closing=b"--",
        )
    ),
    "deepgram": listening.deepgram()._replace(target="/v1/listen?tag=a+b&model=nova-3&x=%d0%9f&&model=nova-2&empty="),
    "google_cloud": listening.google()._replace(
        body=b'{"audio" : {"content":"UklGRg=="}, "config":{ "model":"a", "big": 12345678901234567890, "x":"\\u041f"} }'
    ),
    "google_cloud.v2": listening.google_v2(),
    "elevenlabs": listening.elevenlabs(("odd", " ")),
    "cartesia": listening.cartesia(query="?odd=%2F"),
    "yandex": listening.yandex()._replace(target="/speech/v1/stt:recognize?folderId=f&topic=general&lang=ru-RU"),
    "azure_speech": listening.azure(("cid", "a"), ("odd", "1")),
    "assemblyai": listening.assemblyai(),
    "azure_openai": listening.openai(dialect="azure_openai"),
    "groq": listening.openai(("odd", "1"), dialect="groq"),
}


@pytest.mark.parametrize("wire", ODD)
async def test_without_another_model_nothing_changes(wire: str) -> None:
    call = ODD[wire]
    same = translated(call, call.dialect, model=None)
    assert same.request.target == call.target
    assert same.request.body.data == call.body
    assert same.lost == ()
    given_back = answer({"text": "as it came"})
    assert await same.answer(given_back) is given_back


def body_of(made: Translated) -> bytes:
    assert made.request.body.data is not None
    assert made.request.headers.get("content-length") == str(len(made.request.body.data))
    return made.request.body.data


@pytest.mark.parametrize(
    ("wire", "old", "new"),
    [
        ("mistral", b"\n\nvoxtral\n", b"\n\nanother model\n"),
        ("elevenlabs", b"\r\n\r\nscribe_v1\r\n", b"\r\n\r\nanother model\r\n"),
        ("cartesia", b"\r\n\r\nink-whisper\r\n", b"\r\n\r\nanother model\r\n"),
    ],
)
def test_in_a_form_only_the_field_changes(wire: str, old: bytes, new: bytes) -> None:
    call = ODD[wire]
    assert call.body.count(old) == 1
    made = translated(call, wire, model=NEW)
    assert body_of(made) == call.body.replace(old, new)
    assert made.request.target == call.target


def test_of_two_fields_called_alike_the_first_counts() -> None:
    call = listening.mistral()._replace(body=ODD["openai"].body)
    expected = call.body.replace(b"whisper-1", b"another model")
    assert body_of(translated(call, "mistral", model=NEW)) == expected


def test_a_form_without_the_field_gets_it_first() -> None:
    call = listening.elevenlabs()
    without = call._replace(body=call.body.replace(b'name="model_id"', b'name="other"'))
    body = body_of(translated(without, "elevenlabs", model=NEW))
    assert body.endswith(without.body)
    assert multipart.parse(call.headers["content-type"], body).parts[0].text == NEW


def test_a_form_may_be_urlencoded() -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    call = Call("groq", "/openai/v1/audio/transcriptions", b"url=https%3A%2F%2Fa.example&model=a%20b&odd=%D0", kind)
    made = translate(call.exchange(), target("groq", model=None))
    assert made.request.body.data == call.body
    call = Call("mistral", "/v1/audio/transcriptions", b"file_url=https%3A%2F%2Fa.example&model=a%20b", kind)
    body = body_of(translate(call.exchange(), target("mistral", model=NEW)))
    assert body == b"file_url=https%3A%2F%2Fa.example&model=another%20model"


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("deepgram", "/v1/listen?tag=a+b&model=another%20model&x=%d0%9f&&empty="),
        ("yandex", "/speech/v1/stt:recognize?folderId=f&topic=another%20model&lang=ru-RU"),
        (
            "azure_speech",
            "/speech/recognition/conversation/cognitiveservices/v1?language=en-US&cid=another%20model&odd=1",
        ),
    ],
)
def test_in_a_query_only_the_field_changes(wire: str, expected: str) -> None:
    made = translated(ODD[wire], wire, model=NEW)
    assert made.request.target == expected
    assert made.request.body.data == ODD[wire].body
    assert made.call.model == (NEW if wire != "yandex" else None)


def test_a_query_without_the_field_gets_it() -> None:
    made = translated(listening.deepgram()._replace(target="/v1/listen"), "deepgram", model="m")
    assert made.request.target == "/v1/listen?model=m"


def test_in_googles_json_only_the_model_changes() -> None:
    body = body_of(translated(ODD["google_cloud"], "google_cloud", model=NEW))
    assert json.loads(body)["config"]["model"] == NEW
    assert b'"big":12345678901234567890' in body
    assert b'"x":"\\u041f"' in body
    assert b'"audio":{"content":"UklGRg=="}' in body


def test_a_recognizer_of_google_stands_in_the_path_and_a_header() -> None:
    other = "projects/shop-2/locations/us/recognizers/mine"
    made = translated(ODD["google_cloud.v2"], "google_cloud", model=f"{other}/models/long")
    assert made.request.target == f"/v2/{other}:recognize"
    assert made.request.headers.get("x-goog-request-params") == f"recognizer={other}"
    assert json.loads(body_of(made))["config"]["model"] == "long"
    kept = translated(ODD["google_cloud.v2"], "google_cloud", model=other)
    assert kept.request.target == f"/v2/{other}:recognize"
    assert kept.request.body.data == ODD["google_cloud.v2"].body
    plain_model = translated(ODD["google_cloud.v2"], "google_cloud", model="short")
    assert plain_model.request.target == ODD["google_cloud.v2"].target


def test_googles_first_version_can_be_said_in_the_second() -> None:
    made = translated(plain()["google_cloud"], "google_cloud", model=f"{RECOGNIZER}/models/chirp_2")
    assert made.request.target == f"/v2/{RECOGNIZER}:recognize"
    assert made.call.endpoint == "speech.v2.recognize"


def test_assemblyai_has_it_in_a_header_and_maybe_in_the_configuration() -> None:
    made = translated(ODD["assemblyai"], "assemblyai", model=NEW)
    assert (made.request.headers.get("x-aai-model"), made.request.body.data) == (NEW, ODD["assemblyai"].body)
    configured = listening.assemblyai(model="universal-3-5-pro", prompt="Hi.")
    made = translated(configured, "assemblyai", model=NEW)
    assert made.request.headers.get("x-aai-model") == NEW
    assert json.loads(fields_of(made.request)["config"][0]) == {"model": NEW, "prompt": "Hi."}


def test_a_deployment_of_azure_stands_in_the_path_and_in_the_form() -> None:
    made = translated(ODD["azure_openai"], "azure_openai", model="my whisper")
    assert made.request.target == "/openai/deployments/my%20whisper/audio/transcriptions"
    assert fields_of(made.request)["model"] == ["my whisper"]
    surface = listening.openai(dialect="azure_openai", path="/openai/v1/audio/transcriptions")
    made = translated(surface, "azure_openai", model="my whisper")
    assert made.request.target == "/openai/v1/audio/transcriptions"
    assert fields_of(made.request)["model"] == ["my whisper"]


# -- those who follow OpenAI -------------------------------------------------------------------------------------------

PATHS = {
    "openai": "/v1/audio/transcriptions",
    "azure_openai": "/openai/v1/audio/transcriptions",
    "groq": "/openai/v1/audio/transcriptions",
}


@pytest.mark.parametrize("to", KIN)
@pytest.mark.parametrize("wire", KIN)
async def test_they_get_each_others_requests_and_their_answers_pass(wire: str, to: str) -> None:
    fields = (("response_format", "verbose_json"), ("timestamp_granularities[]", "word"), ("prompt", "Hi."))
    call = listening.openai(*fields, dialect=wire)
    made = translated(call, to, model="whisper-x")
    expected = call.body.replace(f"\r\n\r\n{listening.MODELS[wire]}\r\n".encode(), b"\r\n\r\nwhisper-x\r\n")
    assert body_of(made) == expected
    assert made.request.path == (PATHS[to] if wire != to else call.target.replace("/whisper/", "/whisper-x/"))
    assert made.request.headers.get("content-type") == call.headers["content-type"]
    given_back = answer({"text": "as it came"})
    assert await made.answer(given_back) is given_back
    assert made.lost == ()


@pytest.mark.parametrize(
    ("to", "model", "fields"),
    [
        ("groq", "whisper-large-v3", [("response_format", "srt")]),
        ("groq", "whisper-large-v3", [("stream", "false")]),
        ("groq", "whisper-large-v3", [("chunking_strategy", "auto")]),
        ("azure_openai", "whisper", [("model", "gpt-4o-transcribe"), ("stream", "true")]),
        ("azure_openai", "whisper", [("model", "gpt-transcribe"), ("keywords[]", "Helm")]),
        ("azure_openai", "gpt-4o-transcribe", [("response_format", "text")]),
        ("openai", "whisper-1", [("model", "gpt-4o-transcribe"), ("stream", "true")]),
        ("openai", "gpt-4o-transcribe", [("stream", "true")]),
    ],
)
def test_where_that_is_not_enough_it_is_written_anew(to: str, model: str, fields: list[tuple[str, str]]) -> None:
    call = listening.openai(*fields)
    made = translated(call, to, model=model)
    assert body_of(made) != call.body.replace(b"whisper-1", model.encode())
    assert "stream" not in fields_of(made.request)


@pytest.mark.parametrize(
    ("to", "model", "fields", "feature"),
    [
        ("openai", "gpt-4o-transcribe", [("response_format", "verbose_json")], "segment_timestamps"),
        ("azure_openai", "gpt-4o-transcribe", [("response_format", "srt")], "segment_timestamps"),
        ("groq", "whisper-large-v3", [("response_format", "diarized_json")], "diarization"),
        ("openai", "gpt-4o-transcribe-diarize", [("prompt", "Hi.")], "prompt"),
        ("azure_openai", "whisper", [("model", "gpt-4o-transcribe"), ("include[]", "logprobs")], "logprobs"),
        ("openai", "whisper-2", [("known_speaker_names[]", "Ann")], "known_speaker_names"),
    ],
)
def test_and_what_another_model_of_theirs_lacks_is_refused(
    to: str, model: str, fields: list[tuple[str, str]], feature: str
) -> None:
    with pytest.raises(Inexpressible) as failure:
        translated(listening.openai(*fields), to, model=model)
    assert failure.value.feature == feature


def test_a_model_of_the_same_name_is_asked_for_where_none_is_mapped() -> None:
    made = translated(listening.openai(dialect="groq"), "openai", model=None)
    assert fields_of(made.request)["model"] == ["whisper-large-v3"]
    azure = listening.openai(dialect="azure_openai")
    without = azure._replace(body=azure.body.replace(b'name="model"', b'name="prompt"'))
    assert fields_of(translated(without, "openai", model=None).request)["model"] == ["whisper"]


def test_what_is_too_large_for_one_of_them_is_refused() -> None:
    large = listening.openai(dialect="groq", audio=listening.wav(48000, 300.0))
    translated(large, "groq", model="b")
    with pytest.raises(Inexpressible, match="length"):
        translated(large, "openai", model="b")


@given(st.sampled_from(sorted(ODD)), st.text(max_size=20))
def test_any_model_can_be_named_or_is_refused(wire: str, model: str) -> None:
    try:
        made = translated(ODD[wire], ODD[wire].dialect, model=model)
    except Inexpressible as failure:
        assert failure.feature in ("model", "body", "brandNew") or wire in (*KIN, "google_cloud")  # noqa: PT017
    else:
        assert b"\r\n" not in made.request.target.encode()
        assert made.request.headers.block.count(b"\r\n") == len(made.request.headers.fields)


def test_all_wires_are_here() -> None:
    assert {call.dialect for call in ODD.values()} == set(DIALECTS)
