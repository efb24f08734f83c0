"""What readers share: fields of forms and queries, words for formats, JSON in two cases, and bodies half here."""

import base64
import json
from collections.abc import Callable

import pytest

from sidecar.dialects import fields, formats, load, members
from sidecar.dialects.fields import Fields
from sidecar.headers import Headers
from sidecar.payload import Chat, Speech, Transcription
from tests import corpus


def test_a_field_is_taken_once_and_not_among_the_rest() -> None:
    named = Fields([("a", "1"), ("b", ""), ("c", "3"), ("a", "4"), ("d", "5")])
    assert named.take("b", "c") == "3"
    assert named.take("a") == "1"
    assert named.take("nothing") is None
    assert named.rest() == (("b", ""), ("a", "4"), ("d", "5"))


def test_a_list_is_taken_in_all_its_spellings() -> None:
    named = Fields([("w[]", "1"), ("w", "2"), ("w[0]", "3"), ("w[x]", "4"), ("words", "5")])
    assert named.take_all("w") == ("1", "2", "3")
    assert named.rest() == (("w[x]", "4"), ("words", "5"))


def test_credentials_in_a_query_are_not_shown() -> None:
    assert fields.of_query("a=1&key=s3cret&token=t&api_key=k&access_token=x&b=%D1%8F+y").rest() == (
        ("a", "1"),
        ("b", "я y"),
    )


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("model=a", "a"),
        ("x=1&model=a&y=2", "a"),
        ("submodel=b&model=a", "a"),
        ("submodel=b", None),
        ("model=", None),
        ("model", None),
        ("model=a%20b+c", "a b c"),
        ("", None),
    ],
)
def test_one_value_of_a_query_is_found_quickly(query: str, value: str | None) -> None:
    assert fields.query_value("model")(query) == value


@pytest.mark.parametrize(
    ("filename", "media_type", "word"),
    [
        ("a.wav", "application/octet-stream", "wav"),
        ("a.WAV", None, "wav"),
        ("voice.oga", "application/octet-stream", "ogg"),
        ("voice.ogg", "audio/ogg; codecs=opus", "opus"),
        ("voice.ogg", "audio/ogg", "ogg"),
        ("a.mp4", "audio/mpeg", "m4a"),
        ("upload", "audio/x-m4a", "m4a"),
        (None, "AUDIO/WEBM;codecs=opus", "webm"),
        (None, "audio/L16; rate=16000", "pcm"),
        (None, "audio/x-flac", "flac"),
        (None, "text/plain", None),
        ("notes.txt", None, None),
        ("wav", None, None),
        ("", "", None),
        (None, None, None),
    ],
)
def test_what_a_file_holds_is_told_by_its_name_and_type(
    filename: str | None, media_type: str | None, word: str | None
) -> None:
    assert formats.declared(filename, media_type) == word


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("linear16", "pcm"),
        ("LINEAR16", "pcm"),
        ("pcm_s16le", "pcm"),
        ("pcm_f32le", "pcm_f32le"),
        ("OGG_OPUS", "opus"),
        ("oggopus", "opus"),
        ("ulaw", "mulaw"),
        ("mp3", "mp3"),
        ("", None),
        (None, None),
    ],
)
def test_encodings_go_by_one_word(encoding: str | None, word: str | None) -> None:
    assert formats.of_encoding(encoding) == word


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("size", range(5))
def test_base64_is_read_in_all_its_spellings(encode: Callable[[bytes], bytes], padded: bool, size: int) -> None:
    audio = b"\xfb\xff\xfe\xfa"[:size]
    text = encode(audio).decode() if padded else encode(audio).decode().rstrip("=")
    assert members.audio(members.of(json.dumps({"content": text}).encode()), "content") == audio


def test_members_are_found_in_either_case() -> None:
    found = members.camel(b'{"sample_rate_hertz": "16000", "languageCode": "ru", "inline_data_x": 1}')
    assert (members.integer(found, "sampleRateHertz"), members.text(found, "languageCode")) == (16000, "ru")
    assert members.rest(found, ("sampleRateHertz", "languageCode")) == (("inlineDataX", "1"),)


def test_of_an_upload_that_has_begun_all_but_the_audio_is_read() -> None:
    case, dialect = corpus.case("openai", "audio.transcriptions"), load("openai")
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    begun = case.body[: case.body.index(b"RIFF") + 100]
    view = dialect.read(call, case.query, case.headers, begun, complete=False)
    assert isinstance(view, Transcription)
    assert (view.audio, view.model, view.language, view.filename, view.format) == (
        *(None, "whisper-1", "ru", "question.wav", "wav"),
    )


@pytest.mark.parametrize(
    ("dialect", "name"),
    [("deepgram", "listen"), ("yandex", "stt.recognize"), ("azure_speech", "recognize.by_hand"), ("cartesia", "stt")],
)
def test_a_recording_that_is_not_all_here_is_no_recording(dialect: str, name: str) -> None:
    case, speaks = corpus.case(dialect, name), load(dialect)
    call = speaks.recognise(case.method, case.path, case.query)
    assert call is not None
    whole = speaks.read(call, case.query, case.headers, case.body)
    begun = speaks.read(call, case.query, case.headers, case.body[:-80] or case.body[:-1], complete=False)
    assert isinstance(whole, Transcription)
    assert isinstance(begun, Transcription)
    assert whole.audio is not None
    assert begun.audio is None


def test_of_json_that_has_begun_the_whole_members_are_read() -> None:
    dialect = load("google_cloud")
    case = corpus.case("google_cloud", "speech.recognize")
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    view = dialect.read(call, case.query, case.headers, case.body[:-30], complete=False)
    assert isinstance(view, Transcription)
    assert (view.audio, view.model, view.format) == (None, "latest_short", "opus")


def test_of_a_chat_that_has_begun_the_model_is_read() -> None:
    case, dialect = corpus.case("openai", "chat.completions"), load("openai")
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    view = dialect.read(call, "", case.headers, case.body[:80], complete=False)
    assert isinstance(view, Chat)
    assert (view.model, view.messages, view.system, view.stream) == ("gpt-4.1-mini", (), "", False)


# body -> the text that is to be spoken
YANDEX_TEXTS = [
    (b"text=%D0%94%D0%B0+%26+%D0%BD%D0%B5%D1%82&lang=ru-RU", "Да & нет"),
    ("text=Да & нет&lang=ru-RU".encode(), "Да & нет"),
    ("text=з+амок&lang=ru-RU".encode(), "з+амок"),
    ("text=100%41&lang=ru-RU я".encode(), "100%41"),
    ("lang=ru-RU&text=a=b&c=d я".encode(), "a=b&c=d я"),
    (b"text=plain", "plain"),
    (b"text=a+b", "a b"),
    (b"", ""),
    (b"text=\xff\xfe &lang=ru-RU", "\ufffd\ufffd "),
]


@pytest.mark.parametrize(("body", "text"), YANDEX_TEXTS)
def test_a_form_that_was_not_encoded_is_read_as_it_was_meant(body: bytes, text: str) -> None:
    dialect = load("yandex")
    call = dialect.recognise("POST", "/speech/v1/tts:synthesize", "")
    assert call is not None
    view = dialect.read(call, "", Headers.of(content_type="application/x-www-form-urlencoded"), body)
    assert isinstance(view, Speech)
    assert view.text == text


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [("application/json", True), ("Application/JSON; charset=utf-8", True), ("audio/wav", False), (None, False)],
)
def test_at_deepgram_the_content_type_decides(content_type: str | None, is_json: bool) -> None:
    dialect, body = load("deepgram"), b'{"url":"https://example.com/a.wav"}'
    call = dialect.recognise("POST", "/v1/listen", "")
    headers = Headers() if content_type is None else Headers.of(content_type=content_type)
    assert call is not None
    view = dialect.read(call, "", headers, body)
    assert isinstance(view, Transcription)
    assert (view.audio_url is not None, view.audio == body) == (is_json, not is_json)


@pytest.mark.parametrize(
    ("query", "audio_format"),
    [
        ("", "mp3"),
        ("encoding=linear16", "wav"),
        ("encoding=linear16&container=none", "pcm"),
        ("encoding=mulaw&container=wav", "wav"),
        ("encoding=alaw&container=none", "alaw"),
        ("encoding=opus&container=ogg", "opus"),
        ("encoding=flac", "flac"),
    ],
)
def test_deepgram_speaks_in_the_container_it_has_by_default(query: str, audio_format: str) -> None:
    dialect = load("deepgram")
    call = dialect.recognise("POST", "/v1/speak", query)
    assert call is not None
    view = dialect.read(call, query, Headers.of(content_type="application/json"), b'{"text":"x"}')
    assert isinstance(view, Speech)
    assert view.format == audio_format


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        (1, "pcm"),
        ("LINEAR16", "pcm"),
        (2, "flac"),
        (6, "opus"),
        (9, "webm"),
        (0, None),
        (99, None),
        (-1, None),
        (None, None),
    ],
)
def test_google_takes_enumerations_as_words_and_numbers(encoding: object, word: str | None) -> None:
    dialect = load("google_cloud")
    call = dialect.recognise("POST", "/v1/speech:recognize", "")
    assert call is not None
    body = json.dumps({"config": {"encoding": encoding}, "audio": {"content": ""}}).encode()
    view = dialect.read(call, "", Headers(), body)
    assert isinstance(view, Transcription)
    assert view.format == word


@pytest.mark.parametrize(
    ("encoding", "word"), [(1, "wav"), ("LINEAR16", "wav"), (7, "pcm"), ("PCM", "pcm"), (2, "mp3"), (3, "opus")]
)
def test_what_google_calls_linear16_in_speech_has_a_header(encoding: object, word: str) -> None:
    dialect = load("google_cloud")
    call = dialect.recognise("POST", "/v1/text:synthesize", "")
    assert call is not None
    body = json.dumps({"input": {"text": "x"}, "audioConfig": {"audioEncoding": encoding}}).encode()
    view = dialect.read(call, "", Headers(), body)
    assert isinstance(view, Speech)
    assert view.format == word


# Details of chat bodies that no SDK in the corpus sends: body -> the view.
CHATS = [
    ({"functions": [{"name": "f"}], "function_call": {"name": "f"}}, {"tool_choice": "f"}),
    (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}},
        {"tool_choice": "required"},
    ),
    ({"tool_choice": "any"}, {"tool_choice": "required"}),
    ({"max_tokens": 5.0, "temperature": 1, "stop": None, "stream": None}, {"max_output_tokens": 5, "temperature": 1.0}),
    ({"max_tokens": 9, "max_completion_tokens": 5}, {"max_output_tokens": 5}),
    ({"response_format": {"type": "text"}}, {"json_output": False}),
    ({"agent_id": "ag-1"}, {"model": "ag-1"}),
    ({"messages": None, "tools": None}, {"messages": ()}),
]


@pytest.mark.parametrize(("body", "expected"), CHATS)
def test_less_common_chat_fields_are_read(body: dict[str, object], expected: dict[str, object]) -> None:
    dialect = load("openai")
    call = dialect.recognise("POST", "/v1/chat/completions", "")
    assert call is not None
    view = dialect.read(call, "", Headers(), json.dumps(body).encode())
    assert {name: getattr(view, name) for name in expected} == expected


def test_a_turn_that_cannot_be_read_keeps_its_place_and_its_bytes() -> None:
    dialect = load("openai")
    call = dialect.recognise("POST", "/v1/chat/completions", "")
    assert call is not None
    view = dialect.read(
        call, "", Headers(), b'{"messages":[{"role":"user","content":"a"},{"role":7},{"role":"user","content":"b"}]}'
    )
    assert isinstance(view, Chat)
    assert [(message.role, message.text, bytes(message.raw)[:9]) for message in view.messages] == [
        ("user", "a", b'{"role":"'),
        ("", "", b'{"role":7'),
        ("user", "b", b'{"role":"'),
    ]
