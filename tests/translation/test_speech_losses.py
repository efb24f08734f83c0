"""What cannot be said is refused by name before anything is sent, or left out by leave and told of."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sidecar import dialects
from sidecar.translation import Inexpressible, Target, translate
from sidecar.translation.speech import asked, spoken
from sidecar.translation.speech.ssml import _UNSPEAKABLE
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

SPEECH, GROQ, ELEVEN = "/v1/audio/speech", "/openai/v1/audio/speech", "/v1/text-to-speech/anna"
GOOGLE, YANDEX, AZURE = "/v1/text:synthesize", "/speech/v1/tts:synthesize", "/cognitiveservices/v1"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PCM = {"X-Microsoft-OutputFormat": "raw-24khz-16bit-mono-pcm"}


def by_openai(**fields: Any) -> Asking:
    return Asking("openai", "", SPEECH, openai(**({"response_format": "pcm"} | fields)))


def by_google(**config: Any) -> Asking:
    usual: dict[str, Any] = {"audioEncoding": "PCM", "sampleRateHertz": 24000}
    return Asking("google_cloud", "", GOOGLE, google(**(usual | config)))


def by_cartesia(**fields: Any) -> Asking:
    body = json.loads(cartesia(container="raw", encoding="pcm_s16le", sample_rate=24000))
    return Asking("cartesia", "", "/tts/bytes", json.dumps(body | fields).encode())


def by_eleven(query: str = "output_format=pcm_24000", **fields: Any) -> Asking:
    return Asking("elevenlabs", "", f"{ELEVEN}?{query}", eleven(**fields))


def by_azure(text: str, language: str = "en-US", voice: str = "") -> Asking:
    return Asking("azure_speech", "", AZURE, azure(text, language), PCM)


def long(letters: int, letter: str = "a") -> str:
    return letter * letters


#: A request, for whom, and which of its features cannot be said there.
REFUSED: list[tuple[Asking, str, str]] = [
    (by_openai(response_format="aac"), "elevenlabs", "format"),
    (by_openai(response_format="flac"), "azure_speech", "format"),
    (by_openai(), "yandex", "format"),
    (
        by_cartesia(output_format={"container": "raw", "encoding": "pcm_f32le", "sample_rate": 44100}),
        "openai",
        "format",
    ),
    (
        Asking("azure_speech", "", AZURE, azure(), {"X-Microsoft-OutputFormat": "webm-24khz-16bit-mono-opus"}),
        "openai",
        "format",
    ),
    (by_openai(response_format="mp3"), "deepgram", "sample_rate"),
    (by_eleven("output_format=mp3_44100_128"), "openai", "format"),
    (by_eleven("output_format=mp3_24000_48"), "openai", "bit_rate"),
    (by_openai(speed=4.0), "google_cloud", "speed"),
    (by_openai(speed=0.25), "azure_speech", "speed"),
    (by_openai(speed=1.3), "elevenlabs", "speed"),
    (by_openai(speed=2), "cartesia", "speed"),
    (by_openai(speed=1.1), "mistral", "speed"),
    (by_openai(speed=1.1), "assemblyai", "speed"),
    (by_openai(speed=0.4), "groq", "speed"),
    (by_openai(instructions="Warm."), "elevenlabs", "instructions"),
    (by_openai(instructions="Warm."), "groq", "instructions"),
    (by_openai(instructions="Warm."), "azure_speech", "instructions"),
    (by_google(pitch=3), "openai", "pitch"),
    (by_google(pitch=12), "azure_speech", "pitch"),
    (by_google(volumeGainDb=3), "azure_speech", "volume"),
    (by_google(volumeGainDb=12), "cartesia", "volume"),
    (by_cartesia(generation_config={"emotion": "mad"}), "yandex", "format"),
    (by_cartesia(generation_config={"emotion": "mad"}), "azure_speech", "emotion"),
    (by_cartesia(generation_config={"emotion": "mad"}), "openai", "emotion"),
    (by_cartesia(add_timestamps=True), "elevenlabs", "timestamps"),
    (by_cartesia(language="ka"), "assemblyai", "language"),
    (by_cartesia(language="ru"), "deepgram", "language"),
    (by_cartesia(language="ru"), "groq", "language"),
    (by_cartesia(language="ru"), "azure_speech", "language"),
    (by_google(), "cartesia", ""),
    (by_openai(speed=1.0), "mistral", ""),
    (Asking("azure_speech", "", AZURE, b"<speak>So: <voice name='a'>b</voice></speak>", PCM), "openai", "voice"),
    (Asking("azure_speech", "", AZURE, b"<speak><voice name='a'>b</voice>!</speak>", PCM), "openai", "voice"),
    (by_azure("<prosody rate='2'>a</prosody> b"), "openai", "ssml"),
    (by_eleven(seed=1), "openai", "seed"),
    (by_eleven("output_format=pcm_24000&enable_logging=false"), "openai", "enable_logging"),
    (by_eleven("output_format=pcm_24000&optimize_streaming_latency=4"), "openai", "optimize_streaming_latency"),
    (by_eleven(previous_text="So"), "openai", "previous_text"),
    (by_eleven(text='a <break time="1s"/> b'), "openai", "markup"),
    (by_openai(input='a <break time="1s"/> b'), "elevenlabs", "markup"),
    (by_openai(input="[emotion=sad] b"), "mistral", "markup"),
    (by_openai(input="a **b** c", response_format="opus"), "yandex", "markup"),
    (by_azure("a<break/>b"), "openai", "ssml"),
    (by_azure("<audio src='https://a'/>b"), "google_cloud", ""),
    (by_azure("<voice name='x'>a</voice>"), "google_cloud", "ssml"),
    (by_openai(input=long(2001)), "deepgram", "length"),
    (by_openai(input=long(5001)), "assemblyai", "length"),
    (by_openai(input=long(5001)), "google_cloud", "length"),
    (by_openai(input=long(2501, "ж")), "google_cloud", "length"),
    (by_openai(input=long(7201)), "azure_speech", "length"),
    (by_openai(input=long(2401, "你")), "azure_speech", "length"),
    (by_openai(input=long(10001)), "groq", "length"),
    (by_openai(input=long(2600, "ж"), response_format="opus"), "yandex", "length"),
    (by_google(), "deepgram", ""),
    (by_cartesia(generation_config={"emotion": "neutral"}), "openai", ""),
    (by_azure("<mstts:express-as style='sad' styledegree='2'>a</mstts:express-as>"), "google_cloud", "ssml"),
    (Asking("deepgram", "", "/v1/speak?model=m&speed=1&speed=2", b'{"text":"a"}'), "cartesia", "speed"),
    (Asking("deepgram", "", "/v1/speak?model=m&encoding=linear16&model=n", b'{"text":"a"}'), "openai", "model"),
    (
        Asking("elevenlabs", "", f"{ELEVEN}?output_format=pcm_24000&output_format=x", eleven()),
        "openai",
        "output_format",
    ),
    (by_eleven(text=long(4097)), "openai", "length"),
]


@pytest.mark.parametrize(("asking", "to", "feature"), REFUSED)
def test_what_cannot_be_said_is_refused_by_name(asking: Asking, to: str, feature: str) -> None:
    if not feature:
        translate(asking.exchange(), target(to))
        return
    with pytest.raises(Inexpressible) as refused:
        translate(asking.exchange(), target(to))
    assert refused.value.feature == feature, str(refused.value)
    assert TEXT not in str(refused.value)


@pytest.mark.parametrize(
    ("asking", "to", "feature"),
    [row for row in REFUSED if row[2] not in ("", "format", "length", "voice")],
)
def test_by_leave_it_is_left_out_and_that_is_told(asking: Asking, to: str, feature: str) -> None:
    translated = translate(asking.exchange(), target(to, feature))
    assert feature in translated.lost


@pytest.mark.parametrize(
    ("asking", "to", "feature"),
    [
        (by_openai(response_format="aac"), target("elevenlabs", "format"), "format"),
        (by_openai(input=long(2001)), target("deepgram", "length"), "length"),
        (by_openai(input=long(201), response_format="wav"), target("groq", model="canopylabs/orpheus-v1"), "length"),
        (by_openai(), target("deepgram", "voice", voice=None, model=None), "voice"),
        (by_openai(), target("cartesia", "model", model=None), "model"),
        (by_openai(input="  "), target("cartesia", "text"), "text"),
        (Asking("elevenlabs", "", "/v1/text-to-dialogue", b'{"inputs": []}'), target("cartesia", "call"), "call"),
    ],
)
def test_there_is_no_leave_to_go_on_without_what_is_needed(asking: Asking, to: Target, feature: str) -> None:
    with pytest.raises(Inexpressible) as refused:
        translate(asking.exchange(), to)
    assert refused.value.feature == feature


def test_a_pace_that_is_too_quick_becomes_by_leave_the_quickest() -> None:
    translated = translate(by_openai(speed=4.0).exchange(), target("cartesia", "speed"))
    assert json.loads(translated.request.body.data or b"")["generation_config"] == {"speed": 1.5}


def test_marks_are_taken_out_by_leave() -> None:
    translated = translate(by_eleven(text='a <break time="1s"/>b').exchange(), target("openai", "markup"))
    assert json.loads(translated.request.body.data or b"")["input"] == "a  b"
    phonemes = Asking("yandex", "", YANDEX, yandex("[[p r]] a"), FORM)
    with pytest.raises(Inexpressible, match="phonemes"):
        translate(phonemes.exchange(), target("openai", "markup"))


def test_times_are_null_where_nobody_has_them_and_that_is_allowed() -> None:
    asking = Asking("elevenlabs", "", f"{ELEVEN}/with-timestamps?output_format=pcm_24000", eleven())
    with pytest.raises(Inexpressible) as refused:
        translate(asking.exchange(), target("openai"))
    assert refused.value.feature == "timestamps"
    assert "timestamps" in translate(asking.exchange(), target("openai", "timestamps")).lost


def test_what_makes_no_difference_is_told_of_too() -> None:
    translated = translate(
        by_eleven(voice_settings={"stability": 0.4}, language_code="ru").exchange(), target("openai")
    )
    assert translated.lost == ("stability", "language")


@pytest.mark.parametrize(
    "asking",
    [
        by_openai(shiny=1),
        by_google(shiny=1),
        by_cartesia(shiny=1),
        by_cartesia(generation_config={"shiny": 1}),
        by_eleven(shiny=1),
        by_eleven(voice_settings={"shiny": 1}),
        by_eleven("output_format=pcm_24000&shiny=1"),
        Asking("mistral", "", SPEECH, mistral(shiny=1)),
        Asking("groq", "", GROQ, openai(shiny=1)),
        Asking("assemblyai", "", "/v1/speech", assemblyai(shiny=1)),
        Asking("yandex", "", YANDEX, yandex(shiny=1, format="mp3"), FORM),
        Asking("deepgram", "", "/v1/speak?model=m&shiny=1", b'{"text":"a"}'),
        Asking("deepgram", "", "/v1/speak?model=m", b'{"text":"a","shiny":1}'),
        Asking("azure_speech", "", f"{AZURE}?shiny=1", azure(), PCM),
        Asking("google_cloud", "", f"{GOOGLE}?shiny=1", google(audioEncoding="PCM")),
        Asking("google_cloud", "", GOOGLE, google(audioEncoding="PCM").replace(b'"text"', b'"shiny": 1, "text"')),
    ],
    ids=str,
)
def test_a_field_that_nobody_knows_is_refused_unless_it_may_be_lost(asking: Asking) -> None:
    to = "cartesia" if asking.dialect != "cartesia" else "elevenlabs"
    with pytest.raises(Inexpressible) as refused:
        translate(asking.exchange(), target(to))
    assert refused.value.feature == "shiny"
    translated = translate(asking.exchange(), target(to, "shiny"))
    assert "shiny" in translated.lost
    assert b"shiny" not in (translated.request.body.data or b"") + translated.request.target.encode()


def test_a_field_is_told_by_its_name_only_if_that_is_one() -> None:
    with pytest.raises(Inexpressible) as refused:
        translate(by_openai(**{"my secret\n": 1}).exchange(), target("elevenlabs"))
    assert refused.value.feature == "unknown"


@pytest.mark.parametrize("to", [name for name in DIALECTS if name != "azure_openai"])
def test_a_voice_must_be_mapped_unless_its_name_means_the_same_there(to: str) -> None:
    asking = by_openai(response_format="opus")
    if to == "openai":
        translate(asking.exchange(), target(to, voice=None))
        return
    with pytest.raises(Inexpressible) as refused:
        translate(asking.exchange(), target(to, "sample_rate", voice=None, model=None if to == "deepgram" else "m"))
    assert refused.value.feature in ("voice", "format")


def test_the_family_needs_no_mapping() -> None:
    translated = translate(by_openai().exchange(), target("azure_openai", voice=None, model=None))
    assert json.loads(translated.request.body.data or b"")["voice"] == "coral"


@pytest.mark.parametrize("to", ["gemini", "anthropic"])
def test_who_has_no_speech_is_no_target(to: str) -> None:
    with pytest.raises(Inexpressible, match="no speech"):
        translate(by_openai().exchange(), Target(dialect=dialects.load(to), voice="a", model="b"))


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'{"input": 1}', b'{"input": "a", "speed": "quick"}', b"\xff"]
)
def test_what_cannot_be_read_is_left_to_its_own_provider(body: bytes) -> None:
    with pytest.raises(Inexpressible):
        asked(exchange("openai", SPEECH, body))


@pytest.mark.parametrize(("field", "feature"), [("speed=quick", "speed"), ("format=lpcm&sampleRateHertz=x", "format")])
def test_a_form_with_what_is_no_number_is_left_to_its_own_provider(field: str, feature: str) -> None:
    with pytest.raises(Inexpressible) as refused:
        asked(exchange("yandex", YANDEX, f"text=a&{field}".encode(), FORM))
    assert refused.value.feature == feature


@pytest.mark.parametrize("fields", [{"speed": 1.2}, {"volume": 1.2}])
def test_older_models_of_cartesia_heed_no_settings(fields: dict[str, float]) -> None:
    asking = by_google(**{"speakingRate": 1.2} if "speed" in fields else {"volumeGainDb": 3})
    translate(asking.exchange(), target("cartesia"))
    with pytest.raises(Inexpressible, match="sonic-3"):
        translate(asking.exchange(), target("cartesia", model="sonic-2"))
    with pytest.raises(Inexpressible) as refused:
        asked(by_cartesia(generation_config={"volume": 0}).exchange())
    assert refused.value.feature == "volume"


@pytest.mark.parametrize(
    ("query", "feature"),
    [("speed=nan", "speed"), ("speed=inf", "speed"), ("speed=quick", "speed"), ("sample_rate=8000.5", "sample_rate")],
)
def test_what_is_no_number_is_none(query: str, feature: str) -> None:
    with pytest.raises(Inexpressible) as refused:
        asked(exchange("deepgram", f"/v1/speak?model=m&{query}", b'{"text":"a"}'))
    assert refused.value.feature == feature


def test_a_text_that_is_elsewhere_is_not_fetched() -> None:
    with pytest.raises(Inexpressible) as refused:
        asked(exchange("deepgram", "/v1/speak?model=m", b'{"url":"https://127.0.0.1/a"}'))
    assert refused.value.feature == "url"


def test_a_coded_body_is_not_read() -> None:
    with pytest.raises(Inexpressible, match="coded"):
        asked(exchange("openai", SPEECH, openai(), {"Content-Encoding": "gzip"}))


# -- whatever a wire can carry ---------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
#: All JSON requests, with everything in them that their providers know.
JSON_REQUESTS = {
    "openai": (SPEECH, openai(response_format="pcm", speed=1.0, instructions="", stream_format="audio")),
    "azure_openai": ("/openai/v1/audio/speech", openai(response_format="pcm")),
    "groq": (GROQ, openai(response_format="wav", sample_rate=24000, speed=1.0)),
    "mistral": (SPEECH, mistral(response_format="wav", stream=True, ref_audio="", metadata={})),
    "elevenlabs": (ELEVEN, eleven(language_code="en", seed=1, voice_settings={"speed": 1.0, "style": 0.1})),
    "google_cloud": (
        GOOGLE,
        google(audioEncoding="PCM", speakingRate=1.0, pitch=0, volumeGainDb=0, sampleRateHertz=24000),
    ),
    "cartesia": ("/tts/sse", by_cartesia(generation_config={"speed": 1.0}, context_id="c", add_timestamps=False).body),
    "assemblyai": ("/v1/speech", assemblyai(encoding="pcm_s16le", container="raw", sample_rate=24000, stream=True)),
    "deepgram": ("/v1/speak?model=m&encoding=linear16", b'{"text": "a"}'),
}


def refused_or_said(made: Any, to: str, *may_lose: str) -> None:
    """No other exception, and what is said can be recognised."""
    try:
        translated = translate(made, target(to, *may_lose))
    except Inexpressible as error:
        refused = error
    else:
        assert translated.call is not None
        return
    assert refused.feature
    assert len(str(refused)) < 300


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where something stands in *value*."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    return found


def put(value: Any, path: tuple[str, ...], what: Any) -> Any:
    return what if not path else value | {path[0]: put(value[path[0]], path[1:], what)}


@pytest.mark.parametrize("source", JSON_REQUESTS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_field_alone_may_hold_anything(source: str, data: st.DataObject) -> None:
    path, body = JSON_REQUESTS[source]
    request = json.loads(body)
    place = data.draw(st.sampled_from(places(request)))
    changed = put(request, place, data.draw(VALUES))
    to = data.draw(st.sampled_from(DIALECTS))
    refused_or_said(exchange(source, path, json.dumps(changed).encode()), to, *data.draw(st.sampled_from([(), place])))


@pytest.mark.parametrize("source", JSON_REQUESTS)
@given(body=VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60), to=st.sampled_from(DIALECTS))
@settings(max_examples=40, deadline=None)
def test_any_body_is_said_or_refused(source: str, body: bytes, to: str) -> None:
    refused_or_said(exchange(source, JSON_REQUESTS[source][0], body), to)


@given(query=st.text(alphabet="abcdefgmnortuv_=&%+0123456789", max_size=80), to=st.sampled_from(DIALECTS))
@settings(deadline=None)
def test_any_query_is_said_or_refused(query: str, to: str) -> None:
    for source in ("deepgram", "elevenlabs", "google_cloud"):
        path, body = JSON_REQUESTS[source]
        refused_or_said(exchange(source, f"{path.partition('?')[0]}?model=m&{query}", body), to)


@given(form=st.text(alphabet="abdeflmopstvx=&%+ <>[]*йё0123456789.", max_size=80), to=st.sampled_from(DIALECTS))
@settings(deadline=None)
def test_any_form_is_said_or_refused(form: str, to: str) -> None:
    for body in (form, f"text={form}&voice=john&lang=en-US", f"text=a&speed={form}", f"ssml=<speak>{form}</speak>"):
        refused_or_said(exchange("yandex", YANDEX, body.encode(), FORM), to, "markup", "ssml", "speed")


@given(inner=st.text(alphabet="<>/='\" abprosdyte%+-1:&;", max_size=80), to=st.sampled_from(DIALECTS))
@settings(deadline=None)
def test_any_document_is_said_or_refused(inner: str, to: str) -> None:
    for body in (inner.encode(), azure(inner), b"\xff" + azure(inner)):
        refused_or_said(exchange("azure_speech", AZURE, body, PCM), to, "ssml")


@given(text=st.text(min_size=1, max_size=60), to=st.sampled_from([name for name in DIALECTS if name != "azure_openai"]))
@settings(deadline=None)
def test_a_text_survives_its_way_there(text: str, to: str) -> None:
    """What is said to a provider, read as that provider reads it, is what the agent wanted to be said."""
    form = (
        "opus"
        if to in ("yandex", "google_cloud", "azure_speech", "groq", "deepgram", "elevenlabs", "mistral")
        else "pcm"
    )
    asking = by_openai(input=text, response_format=form)
    try:
        request = translate(asking.exchange(), target(to)).request
    except Inexpressible:
        return
    headers = {name.decode(): value.decode() for name, value in request.headers}
    again = asked(exchange(to, request.target, request.body.data or b"", headers)).text
    if to == "azure_speech":  # white space and what cannot be spoken are nothing in a document
        again, text = " ".join(again.split()), " ".join(_UNSPEAKABLE.sub("", text).split())
    assert again == text


def test_a_part_of_the_text_can_be_spoken_by_somebody_else() -> None:
    ask = asked(by_openai(input="One. Two.", speed=1.1).exchange())
    rest = spoken(replace(ask, text="Two."), target("elevenlabs"))
    assert json.loads(rest.request.body.data or b"")["text"] == "Two."


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        (
            Asking("openai", "", SPEECH, b'{"input":"One. Two.","voice":"v","x":1}'),
            b'{"input":"R&D","voice":"v","x":1}',
        ),
        (
            Asking(
                "google_cloud", "", GOOGLE, b'{"input":{"ssml":"<speak>a</speak>"},"audioConfig":{"audioEncoding":7}}'
            ),
            b'{"input":{"ssml":"<speak>R&amp;D</speak>"},"audioConfig":{"audioEncoding":7}}',
        ),
        (
            Asking("google_cloud", "", GOOGLE, b'{"input":{"text":"a"},"audioConfig":{"audioEncoding":7}}'),
            b'{"input":{"text":"R&D"},"audioConfig":{"audioEncoding":7}}',
        ),
        (Asking("yandex", "", YANDEX, b"text=One&folderId=b1g", FORM), b"text=R%26D&folderId=b1g"),
        (
            Asking("yandex", "", YANDEX, b"folderId=b1g&ssml=%3Cspeak%3Ea%3C%2Fspeak%3E", FORM),
            b"folderId=b1g&ssml=%3Cspeak%3ER%26amp%3BD%3C%2Fspeak%3E",
        ),
        (
            Asking("yandex", "", YANDEX, b"text=One & two&voice=alena&format=mp3", FORM),
            b"text=R%26D&lang=ru-RU&voice=alena&format=mp3",
        ),
        (
            by_azure("One. Two."),
            b'<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
            b'<voice name="en-US-AvaNeural">R&amp;D</voice></speak>',
        ),
    ],
)
def test_and_by_the_same_one_with_all_else_as_it_was(asking: Asking, expected: bytes) -> None:
    ask = asked(asking.exchange())
    said = spoken(replace(ask, text="R&D"), target(asking.dialect, voice=None, model=None))
    assert said.request.body.data == expected
    unchanged = spoken(ask, target(asking.dialect, voice=None, model=None))
    assert unchanged.request.body.data == asking.body


@pytest.mark.parametrize(
    "text",
    ["**a ", "[emotion=", "<break ", "[[a ", "<[a", "+\u0430", "[laughs ", "\\{pause:", "sil<[1", "a ** b", "<speed "],
)
def test_a_long_text_is_read_in_no_more_time_than_its_length_takes(text: str) -> None:
    """Two hundred thousand characters: what takes the square of that never ends."""
    text *= 200_000 // len(text)
    for asking in (
        Asking("yandex", "", YANDEX, f"text={text}&voice=john&format=mp3".encode(), FORM),
        Asking("mistral", "", SPEECH, mistral(text)),
        by_eleven(text=text, model_id="eleven_v3"),
        by_cartesia(transcript=text),
        by_openai(input=text, response_format="opus"),
        by_azure(text.replace("<", "&lt;")),
        Asking("deepgram", "", "/v1/speak?model=m&" + "&".join(["tag=a"] * 10000), json.dumps({"text": text}).encode()),
    ):
        for to in ("yandex", "mistral", "elevenlabs", "cartesia", "deepgram"):
            refused_or_said(asking.exchange(), to, "markup", "sample_rate", "language")
