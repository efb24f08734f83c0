"""SSML read and written for others, and the languages in which voices speak."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.translation import Inexpressible
from sidecar.translation.speech import languages, ssml


@pytest.mark.parametrize(
    ("document", "text", "marked"),
    [
        ("<speak>Hello</speak>", "Hello", False),
        ("<speak/>", "", False),
        ("<speak></speak>", "", False),
        ("<?xml version='1.0'?><speak>Caf\u00e9 &amp; more</speak>", "Caf\u00e9 & more", False),
        ("<speak><p>One.</p><p><s>Two.</s><s>Three.</s></p></speak>", "One. Two. Three.", False),
        ("<speak>Wait<break time='1s'/>there</speak>", "Wait<break time='1s'/>there", True),
        ("<speak a='>'>x<sub alias='>'>y</sub></speak>", "x<sub alias='>'>y</sub>", True),
        ("<speak><p xml:lang='ru'>\u0414\u0430</p></speak>", "<p xml:lang='ru'>\u0414\u0430</p>", True),
    ],
)
def test_a_document_is_text_if_there_is_no_more_in_it(document: str, text: str, marked: bool) -> None:
    assert ssml.content(document) == (text, marked)


@pytest.mark.parametrize(
    "document",
    [
        "Hello",
        "",
        "<speak>Hello",
        "<speak>R&D</speak>",
        "<speak>&unknown;</speak>",
        "<!DOCTYPE speak [<!ENTITY a 'aaaa'>]><speak>&a;</speak>",
        "<!DOCTYPE speak SYSTEM 'http://127.0.0.1/x'><speak>a</speak>",
        "<other>Hello</other>",
        "<speak>\x00</speak>",
        "<speak>\ud800</speak>",
    ],
)
def test_what_is_no_document_of_ours_is_refused(document: str) -> None:
    with pytest.raises(Inexpressible) as refused:
        ssml.content(document)
    assert refused.value.feature == "ssml"


def test_a_bomb_of_entities_is_not_even_read() -> None:
    bomb = "".join(f"<!ENTITY a{n + 1} '{f'&a{n};' * 10}'>" for n in range(20))
    with pytest.raises(Inexpressible):
        ssml.content(f"<!DOCTYPE s [<!ENTITY a0 'a'>{bomb}]><speak>&a20;</speak>")


def test_a_document_that_is_longer_than_anybody_takes_is_not_read() -> None:
    with pytest.raises(Inexpressible, match="131072 characters"):
        ssml.content(f"<speak>{'a' * (1 << 17)}</speak>")


def test_without_marks_aliases_are_said_for_what_they_stand_for() -> None:
    markup = ssml.fragment("The <sub alias='World &lt;b&gt;'>W3C</sub> says<break/>no <emphasis>more</emphasis>")
    assert markup.text == "The World <b> says no more"


@pytest.mark.parametrize(
    ("inner", "google", "yandex"),
    [
        ("<break time='1s'/>", None, None),
        ("<s>a</s>", None, None),
        ("<phoneme alphabet='ipa' ph='a'>a</phoneme>", None, None),
        ("<phoneme alphabet='sapi' ph='a'>a</phoneme>", "<phoneme>", "<phoneme>"),
        ("<say-as interpret-as='date' format='ymd'>2026-01-01</say-as>", None, "no <say-as>"),
        ("<say-as interpret-as='name'>A</say-as>", "<say-as>", "no <say-as>"),
        ("<prosody rate='slow' pitch='+2st'>a</prosody>", None, "no <prosody>"),
        ("<prosody rate='30%'>a</prosody>", "<prosody>", "no <prosody>"),
        ("<prosody contour='x'>a</prosody>", "<prosody>", "no <prosody>"),
        ("<voice name='x'>a</voice>", "no <voice>", "no <voice>"),
        ("<mstts:express-as style='sad'>a</mstts:express-as>", "no <mstts:express-as>", "no <mstts:express-as>"),
        ("<secret>a</secret>", "no such element", "no such element"),
        ("<s onset='secret'>a</s>", "what <s> says", "what <s> says"),
    ],
)
def test_a_provider_takes_its_own_part_of_it(inner: str, google: str | None, yandex: str | None) -> None:
    markup = ssml.fragment(inner)
    for taken, words in ((ssml.FULL, google), (ssml.FEW, yandex)):
        reason = ssml.refused(markup, taken)
        assert reason is None if words is None else reason is not None and words in reason
        assert "secret" not in str(reason)


@given(st.text())
def test_any_text_can_stand_in_a_document(text: str) -> None:
    inner = ssml.parsed(f"<speak>{ssml.escaped(text)}</speak>").text
    assert inner.split() == ssml._SPACES.sub(" ", ssml._UNSPEAKABLE.sub("", text)).split()
    quoted = ssml.parsed(f"<speak a={ssml.quoted(text)}/>").root.attributes["a"]
    assert quoted.split() == ssml._UNSPEAKABLE.sub("", text).split()


@given(st.text(alphabet="<>/=&;!'\" abspeak", max_size=40))
def test_any_document_is_read_or_refused(document: str) -> None:
    with contextlib.suppress(Inexpressible):
        text, marked = ssml.content(document)
        if marked:
            ssml.refused(ssml.fragment(text), ssml.FULL)


@pytest.mark.parametrize(
    ("voice", "language"),
    [
        ("en-US-JennyNeural", "en-US"),
        ("zh-CN-shaanxi-XiaoniNeural", "zh-CN"),
        ("sr-Latn-RS-NicholasNeural", "sr-RS"),
        ("en-US-AvaMultilingualNeural", None),
        ("ru-RU-Wavenet-A", "ru-RU"),
        ("cmn-CN-Chirp3-HD-Aoede", "cmn-CN"),
        ("Kore", None),
        ("aura-2-thalia-en", "en"),
        ("aura-asteria-en", "en"),
        ("flux-alexis-de", "de"),
        ("gb_jane_neutral", "en-GB"),
        ("fr_marie_happy", "fr"),
        ("voice_592", None),
        ("alloy", None),
        ("alena", "ru-RU"),
        ("john", "en-US"),
        ("694f9389-aac1-45b6-b726-9d9369183238", None),
        (None, None),
    ],
)
def test_some_voices_tell_in_their_names_what_they_speak(voice: str | None, language: str | None) -> None:
    assert languages.of_voice(voice) == language


@pytest.mark.parametrize(
    ("language", "voice", "expected"),
    [
        ("ru-RU", "x", "ru-RU"),
        ("en-GB", "en-US-JennyNeural", "en-GB"),
        ("en", "en-GB-SoniaNeural", "en-GB"),
        ("en", "x", "en-US"),
        ("ru", "en-US-JennyNeural", "ru-RU"),
        (None, "de-DE-KatjaNeural", "de-DE"),
        (None, "aura-2-thalia-en", "en-US"),
        (None, "x", None),
        ("xx", "x", None),
    ],
)
def test_a_language_gets_the_region_that_is_nearest(language: str | None, voice: str, expected: str | None) -> None:
    assert languages.with_region(language, voice) == expected


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [("en", "en-GB", False), ("no", "nb-NO", False), ("cmn-CN", "zh", False), ("en", "ru", True), (None, "ru", False)],
)
def test_languages_are_the_same_whatever_the_region(one: str | None, other: str | None, differ: bool) -> None:
    assert languages.differ(one, other) is differ
