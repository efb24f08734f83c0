"""What targets answer, and what agents are told: heard out of each wire, told in each."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.payload import Usage
from sidecar.translation import Translated, Untranslatable, translate
from sidecar.translation.transcription.asking import GOOGLE_V2, TARGETS
from sidecar.translation.transcription.neutral import Ask, Segment, Transcript, Wish, Word
from sidecar.translation.transcription.timing import segments_of, speakers_of, srt, vtt
from sidecar.translation.transcription.wire import Wire
from tests import corpus
from tests.translation import listening
from tests.translation.listening import RECOGNIZER, Call, answer, plain, streamed, target, text_of

WIRES: Mapping[str, Wire] = {**TARGETS, "google_cloud.v2": GOOGLE_V2}
ARE, YOU, OPEN = (Word(one, at, at + 0.25, 0.5) for one, at in (("Are", 0.5), ("you", 0.75), ("open?", 1.0)))

# -- heard ------------------------------------------------------------------------------------------------------------

#: What providers say, by wire, and what is heard.
HEARD: list[tuple[str, object, Transcript]] = [
    ("openai", {"text": " Are you open? "}, Transcript(text="Are you open?")),
    (
        "openai",
        {"text": "", "usage": {"type": "duration", "seconds": 2}},
        Transcript(text="", seconds=2.0, usage=Usage(audio_seconds=2.0)),
    ),
    (
        "openai",
        {
            "text": "Da.",
            "language": "russian",
            "duration": 1.5,
            "segments": [{"id": 0, "text": " Da.", "start": 0.0, "end": 1.0, "avg_logprob": 0.0, "tokens": [1]}],
            "words": [{"word": "Da", "start": 0.0, "end": 0.5}],
            "usage": None,
        },
        Transcript(
            text="Da.",
            language="ru",
            seconds=1.5,
            segments=(Segment("Da.", 0.0, 1.0, 1.0),),
            words=(Word("Da", 0.0, 0.5),),
        ),
    ),
    ("openai", {"text": "Da.", "languages": [{"code": "ru"}]}, Transcript(text="Da.", language="ru")),
    (
        "openai",
        {"text": "A B", "segments": [{"id": "seg_1", "text": "A", "start": 0, "end": 1, "speaker": "A"}]},
        Transcript(text="A B", segments=(Segment("A", 0.0, 1.0, None, "A"),)),
    ),
    (
        "mistral",
        {
            "model": "m",
            "text": "Da.",
            "language": None,
            "segments": [
                {"type": "transcription_segment", "text": "Da.", "start": 0.1, "end": 0.9, "speaker_id": "speaker_1"},
                {"type": "transcription_segment", "text": "untimed", "start": None, "end": None},
            ],
            "usage": {"prompt_audio_seconds": 2, "prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7},
        },
        Transcript(
            text="Da.",
            seconds=2.0,
            segments=(Segment("Da.", 0.1, 0.9, None, "speaker_1"),),
            usage=Usage(input_tokens=4, output_tokens=3, audio_seconds=2.0),
        ),
    ),
    (
        "deepgram",
        {
            "metadata": {"duration": 1.5},
            "results": {
                "channels": [
                    {
                        "detected_language": "en",
                        "alternatives": [
                            {
                                "transcript": "Are you",
                                "confidence": 0.9,
                                "words": [
                                    {
                                        "word": "are",
                                        "punctuated_word": "Are",
                                        "start": 0.1,
                                        "end": 0.2,
                                        "confidence": 0.8,
                                        "speaker": 1,
                                    }
                                ],
                            }
                        ],
                    }
                ],
                "utterances": [{"transcript": "Are you", "start": 0.1, "end": 0.4, "confidence": 0.9, "speaker": 1}],
            },
        },
        Transcript(
            text="Are you",
            language="en",
            seconds=1.5,
            confidence=0.9,
            words=(Word("Are", 0.1, 0.2, 0.8, "1"),),
            segments=(Segment("Are you", 0.1, 0.4, 0.9, "1"),),
        ),
    ),
    ("deepgram", {"results": {"channels": [{"alternatives": []}]}}, Transcript(text="")),
    ("deepgram", {"results": {"channels": []}}, Transcript(text="")),
    (
        "elevenlabs",
        {
            "language_code": "eng",
            "text": "Are you",
            "audio_duration_secs": 2.0,
            "words": [
                {"text": "Are", "type": "word", "start": 0.1, "end": 0.2, "logprob": 0.0, "speaker_id": "speaker_0"},
                {"text": " ", "type": "spacing", "start": 0.2, "end": 0.3},
                {"text": "you", "type": "word", "start": None, "end": None, "logprob": -0.0},
                {"text": "(laughs)", "type": "audio_event"},
            ],
        },
        Transcript(
            text="Are you",
            language="en",
            seconds=2.0,
            confidence=1.0,
            words=(Word("Are", 0.1, 0.2, 1.0, "speaker_0"), Word("you", None, None, 1.0)),
        ),
    ),
    ("google_cloud", {}, Transcript(text="")),
    ("google_cloud", {"totalBilledTime": "1s", "requestId": "1"}, Transcript(text="")),
    ("google_cloud", {"results": [{"alternatives": []}, {}]}, Transcript(text="")),
    (
        "google_cloud",
        {
            "results": [
                {
                    "alternatives": [
                        {
                            "transcript": "are you",
                            "confidence": 0.5,
                            "words": [{"word": "are", "endTime": "0.200s"}, {"word": "you", "startTime": "0.2s"}],
                        },
                        {"transcript": "our view"},
                    ],
                    "resultEndTime": "1.500s",
                    "languageCode": "en-us",
                },
                {"alternatives": [{"transcript": " open", "confidence": 1.0}], "resultEndTime": "2s"},
            ]
        },
        Transcript(
            text="are you open",
            language="en",
            seconds=2.0,
            confidence=0.75,
            words=(Word("are", 0.0, 0.2), Word("you", 0.2, None)),
        ),
    ),
    (
        "google_cloud",
        {
            "results": [
                {"alternatives": [{"transcript": "a", "words": [{"word": "a", "startTime": "0s", "endTime": "1s"}]}]},
                {
                    "alternatives": [
                        {
                            "words": [
                                {"word": "a", "startTime": "0s", "endTime": "1s", "speakerTag": 1},
                                {"word": "b", "startTime": "1s", "endTime": "2s", "speakerTag": 2},
                            ]
                        }
                    ]
                },
            ]
        },
        Transcript(text="a", words=(Word("a", 0.0, 1.0, None, "1"), Word("b", 1.0, 2.0, None, "2"))),
    ),
    (
        "google_cloud.v2",
        {
            "results": [
                {
                    "alternatives": [
                        {
                            "transcript": "a",
                            "words": [{"word": "a", "startOffset": "0.5s", "endOffset": "1s", "speakerLabel": "1"}],
                        }
                    ],
                    "resultEndOffset": "1.2s",
                }
            ],
            "metadata": {"totalBilledDuration": "2s"},
        },
        Transcript(text="a", seconds=1.2, words=(Word("a", 0.5, 1.0, None, "1"),)),
    ),
    ("yandex", {"result": "вы открыты"}, Transcript(text="вы открыты")),
    ("yandex", {"result": ""}, Transcript(text="")),
    (
        "cartesia",
        {
            "type": "transcript",
            "text": "a",
            "language": "en",
            "duration": 1.0,
            "words": [{"word": "a", "start": 0, "end": 1}],
        },
        Transcript(text="a", language="en", seconds=1.0, words=(Word("a", 0.0, 1.0),)),
    ),
    ("azure_speech", {"RecognitionStatus": "Success", "DisplayText": "A.", "Offset": 1}, Transcript(text="A.")),
    ("azure_speech", {"RecognitionStatus": "NoMatch", "Offset": 0, "Duration": 0}, Transcript(text="")),
    ("azure_speech", {"RecognitionStatus": "InitialSilenceTimeout"}, Transcript(text="")),
    ("azure_speech", {"RecognitionStatus": "BabbleTimeout"}, Transcript(text="")),
    (
        "azure_speech",
        {
            "RecognitionStatus": "Success",
            "NBest": [
                {
                    "Display": "A b.",
                    "Confidence": 0.9,
                    "Words": [
                        {"Word": "a", "Offset": 1000000, "Duration": "2000000"},
                        {"Word": "b", "Offset": "5000000", "Duration": 0},
                    ],
                }
            ],
        },
        Transcript(text="A b.", confidence=0.9, words=(Word("a", 0.1, pytest.approx(0.3)), Word("b", 0.5, 0.5))),
    ),
    (
        "assemblyai",
        {
            "text": "A",
            "confidence": 0.9,
            "audio_duration_ms": 1500,
            "words": [{"text": "A", "start": 100, "end": 250, "confidence": 0.8}, {"text": "b", "confidence": 0.7}],
        },
        Transcript(
            text="A", seconds=1.5, confidence=0.9, words=(Word("A", 0.1, 0.25, 0.8), Word("b", None, None, 0.7))
        ),
    ),
]


@pytest.mark.parametrize(("wire", "said", "transcript"), HEARD)
def test_what_a_provider_says_is_heard(wire: str, said: object, transcript: Transcript) -> None:
    assert WIRES[wire].hear(json.dumps(said).encode()) == transcript


CORPUS = [one for one in corpus.answers() if one.dialect in TARGETS and one.status == 200]
TRANSCRIPTS = {
    ("assemblyai", "transcribe", "whole"): "вы открыты",
    ("assemblyai", "transcript.poll", "completed"): "вы открыты",  # of another endpoint, and like it
    ("azure_openai", "audio.transcriptions", "whole"): "Вы открыты?",
    ("azure_speech", "recognize.by_hand", "silence"): "",
    ("azure_speech", "recognize.by_hand", "success"): "Вы открыты?",
    ("cartesia", "stt", "whole"): "are you open",
    ("deepgram", "listen", "whole"): "are you open",
    ("elevenlabs", "speech-to-text", "whole"): "Вы открыты?",
    ("google_cloud", "speech.recognize", "silence"): "",
    ("google_cloud", "speech.recognize", "whole"): "вы открыты",
    ("google_cloud", "speech.v2.recognize", "whole"): "вы открыты",
    ("groq", "audio.transcriptions", "verbose"): "Да.",
    ("mistral", "audio.transcriptions", "whole"): "Вы открыты?",
    ("openai", "audio.transcriptions", "verbose"): "Вы открыты?",
    ("openai", "audio.transcriptions.unnamed", "tokens"): "Are you open?",
    ("openai", "audio.translations", "whole"): "Are you open?",
    ("yandex", "stt.recognize", "silence"): "",
    ("yandex", "stt.recognize", "whole"): "вы открыты",
}


@pytest.mark.parametrize("one", CORPUS, ids=lambda one: f"{one.dialect}-{one.case}-{one.what}")
def test_captured_answers_are_heard_and_nothing_else_is_taken_for_a_transcript(one: corpus.CapturedAnswer) -> None:
    expected = TRANSCRIPTS.get((one.dialect, one.case, one.what))
    if expected is not None:
        assert TARGETS[one.dialect].hear(one.body).text == expected
    else:
        with pytest.raises((msgspec.MsgspecError, ValueError, Untranslatable)):
            TARGETS[one.dialect].hear(one.body)


# -- failures ---------------------------------------------------------------------------------------------------------

AZURE_WORD = b"""{"RecognitionStatus": "Success", "NBest": [{"Display": "a", "Words": [
    {"Word": "a", "Offset": 1, "Duration": 1}]}]}"""
FAILED: list[tuple[str, bytes]] = [
    *((wire, said) for wire in WIRES for said in (b"", b"[]", b"null", b'{"text": 1}', b"<html>", b"[" * 100_000)),
    *((wire, b'{"error": {"message": "no"}}') for wire in WIRES),
    ("azure_speech", b'{"RecognitionStatus": "Error", "Offset": 0, "Duration": 0}'),
    ("azure_speech", b'{"RecognitionStatus": "Success"}'),
    ("azure_speech", b'{"RecognitionStatus": "BrandNew", "DisplayText": "A"}'),
    ("azure_speech", AZURE_WORD.replace(b"1", b'"x"')),
    ("deepgram", b'{"err_code": "Bad Request", "err_msg": "no"}'),
    ("deepgram", b'{"request_id": "r-1"}'),
    ("elevenlabs", b'{"message": "Request processed successfully", "request_id": "r-1"}'),
    ("elevenlabs", b'{"transcripts": [{"text": "a"}]}'),
    ("google_cloud", b'{"name": "operations/1"}'),
    ("yandex", b'{"error_code": "BAD_REQUEST", "error_message": "no"}'),
    ("cartesia", b'{"type": "error", "error_code": "x"}'),
    ("assemblyai", b'{"id": "job", "status": "queued", "text": null}'),
    ("openai", b'{"text": "a", "duration": 1e300}'),
    ("openai", b'{"text": "a", "words": [{"word": "a", "start": 1, "end": 1e80}]}'),
    ("deepgram", b'{"metadata": {"duration": 1e30}, "results": {"channels": []}}'),
]  # fmt: skip


def asked(wire: str, call: Call | None = None) -> Translated:
    """A call of another agent, translated for *wire*."""
    agent = call or plain()["deepgram" if wire != "deepgram" else "elevenlabs"]
    model = {"model": f"{RECOGNIZER}/models/chirp_2"} if wire == "google_cloud.v2" else {}
    return translate(agent.exchange(), target(wire.partition(".")[0], **model))


@pytest.mark.parametrize(("wire", "said"), FAILED)
async def test_what_is_no_transcript_is_given_to_nobody(wire: str, said: bytes) -> None:
    with pytest.raises(Untranslatable) as failure:
        await asked(wire).answer(answer(said))
    assert "no" not in str(failure.value).split('"')


@pytest.mark.parametrize(
    ("call", "to", "said"),
    [
        (listening.cartesia(("timestamp_granularities[]", "word")), "openai", {"text": "a"}),
        (listening.openai(("response_format", "srt")), "deepgram", HEARD[0][1]),
        (listening.openai(("response_format", "srt")), "mistral", {"text": "a", "segments": []}),
        (listening.openai(("response_format", "diarized_json")), "mistral", {"text": "a", "segments": [
            {"text": "a", "start": 0, "end": 1}]}),
        (listening.deepgram(("diarize", "true")), "elevenlabs", {"text": "a", "words": [
            {"text": "a", "start": 0, "end": 1}]}),
    ],
)  # fmt: skip
async def test_times_that_were_asked_for_are_there(call: Call, to: str, said: object) -> None:
    with pytest.raises(Untranslatable):
        await translate(call.exchange(), target(to)).answer(answer(said))
    silence = {"text": "", "results": {"channels": []}}
    await translate(call.exchange(), target(to)).answer(answer(silence))


@pytest.mark.parametrize("wire", sorted(WIRES))
async def test_silence_is_an_empty_text_everywhere(wire: str) -> None:
    for agent, call in plain().items():
        if call.dialect == wire.partition(".")[0]:
            continue
        empty = WIRES[wire].tell(Transcript(text=""), Ask())
        given_back = await asked(wire, call).answer(answer(empty.body))
        assert text_of(agent, json.loads(given_back.body.data or b"")) == ""
        assert given_back.status == 200


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 1 << 70), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)
AGENTS = ("openai", "mistral", "deepgram", "elevenlabs", "google_cloud", "azure_speech", "assemblyai", "cartesia")


def places(said: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All paths to a value in JSON."""
    yield path
    items = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def put(said: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    said[path[0]] = put(said[path[0]], path[1:], value)
    return said


@given(st.data(), st.sampled_from(sorted(WIRES)), VALUES, VALUES)
async def test_no_answer_makes_translating_fail_otherwise(data: Any, wire: str, one: object, other: object) -> None:
    """A whole answer in which two values are others."""
    dialect = wire.partition(".")[0]
    output = "verbose_json" if dialect in ("openai", "azure_openai", "groq") else "detailed"
    ask = Ask(words=Wish.REQUIRED, segments=Wish.REQUIRED, speakers=True, output=output)
    said = json.loads(WIRES[wire].tell(FULL, ask).body)
    for value in (one, other):
        said = put(said, data.draw(st.sampled_from(list(places(said)))), value)
    for agent in AGENTS:
        call = {
            "openai": listening.openai(("response_format", "verbose_json"), ("language", "en")),
            "azure_speech": listening.azure(("format", "detailed")),
        }.get(agent, plain()[agent])
        made = translate(call.exchange(), target(dialect, "segment_timestamps", "language"))
        try:
            await made.answer(answer(said))
        except Untranslatable:
            continue


async def test_what_cannot_be_unpacked_or_is_too_large_is_given_to_nobody() -> None:
    made = asked("openai")
    with pytest.raises(Untranslatable, match="coding"):
        await made.answer(answer(b"x", **{"content-encoding": "br"}))
    with pytest.raises(Untranslatable, match="more than"):
        await made.answer(streamed(*[bytes(1 << 20)] * 33, content_type="application/json"))


# -- told -------------------------------------------------------------------------------------------------------------

FULL = Transcript(
    text="Are you open?",
    language="en",
    seconds=1.5,
    confidence=0.5,
    words=(ARE, YOU, OPEN),
    usage=Usage(input_tokens=10, output_tokens=4),
)


def spoken(word: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return {"word": word, "start": start, "end": end, "confidence": 0.5} | more


TOLD: list[tuple[Call, dict[str, Any]]] = [
    (
        listening.openai(),
        {
            "text": "Are you open?",
            "usage": {
                "type": "tokens",
                "input_tokens": 10,
                "input_token_details": {"audio_tokens": 10, "text_tokens": 0},
                "output_tokens": 4,
                "total_tokens": 14,
            },
        },
    ),
    (
        listening.openai(("response_format", "verbose_json"), ("timestamp_granularities[]", "word")),
        {
            "task": "transcribe",
            "language": "english",
            "duration": 1.0,
            "text": "Are you open?",
            "words": [
                {"word": "Are", "start": 0.5, "end": 0.75},
                {"word": "you", "start": 0.75, "end": 1.0},
                {"word": "open?", "start": 1.0, "end": 1.25},
            ],
            "usage": {"type": "duration", "seconds": 1},
        },
    ),
    (
        listening.openai(("response_format", "verbose_json")),
        {
            "task": "transcribe",
            "language": "english",
            "duration": 1.0,
            "text": "Are you open?",
            "segments": [
                {
                    "id": 0,
                    "seek": 0,
                    "start": 0.5,
                    "end": 1.25,
                    "text": "Are you open?",
                    "tokens": [],
                    "temperature": 0.0,
                    "avg_logprob": math.log(0.5),
                    "compression_ratio": 1.0,
                    "no_speech_prob": 0.0,
                }
            ],
            "usage": {"type": "duration", "seconds": 1},
        },
    ),
    (
        listening.mistral(("timestamp_granularities", "word")),
        {
            "model": "voxtral-mini-latest",
            "text": "Are you open?",
            "language": "en",
            "segments": [
                {"type": "transcription_segment", "text": "Are", "start": 0.5, "end": 0.75},
                {"type": "transcription_segment", "text": "you", "start": 0.75, "end": 1.0},
                {"type": "transcription_segment", "text": "open?", "start": 1.0, "end": 1.25},
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "prompt_audio_seconds": 1},
        },
    ),
    (listening.mistral(), {"segments": []}),
    (
        listening.elevenlabs(("language_code", "en")),
        {"language_code": "eng", "language_probability": 1.0, "text": "Are you open?", "audio_duration_secs": 1.0},
    ),
    (
        listening.google(enableAutomaticPunctuation=True),
        {
            "results": [
                {
                    "alternatives": [{"transcript": "Are you open?", "confidence": 0.5}],
                    "resultEndTime": "1.000s",
                    "languageCode": "en-us",
                }
            ],
            "totalBilledTime": "1s",
        },
    ),
    (
        listening.google(enableWordTimeOffsets=True),
        {
            "results": [
                {
                    "alternatives": [
                        {
                            "transcript": "Are you open",
                            "confidence": 0.5,
                            "words": [
                                {"startTime": "0.500s", "endTime": "0.750s", "word": "Are", "confidence": 0.5},
                                {"startTime": "0.750s", "endTime": "1.000s", "word": "you", "confidence": 0.5},
                                {"startTime": "1.000s", "endTime": "1.250s", "word": "open", "confidence": 0.5},
                            ],
                        }
                    ],
                    "resultEndTime": "1.000s",
                    "languageCode": "en-us",
                }
            ],
        },
    ),
    (
        listening.google_v2(features={"enableAutomaticPunctuation": True}),
        {
            "results": [
                {
                    "alternatives": [{"transcript": "Are you open?", "confidence": 0.5}],
                    "resultEndOffset": "1.000s",
                    "languageCode": "en-US",
                }
            ]
        },
    ),
    (listening.yandex(), {"result": "Are you open?"}),
    (
        listening.cartesia(("timestamp_granularities[]", "word")),
        {
            "type": "transcript",
            "is_final": True,
            "text": "Are you open?",
            "language": "en",
            "duration": 1.0,
            "words": [
                {"word": "Are", "start": 0.5, "end": 0.75},
                {"word": "you", "start": 0.75, "end": 1.0},
                {"word": "open?", "start": 1.0, "end": 1.25},
            ],
        },
    ),
    (
        listening.azure(),
        {"RecognitionStatus": "Success", "Offset": 5000000, "Duration": 5000000, "DisplayText": "Are you open?"},
    ),
    (
        listening.azure(("format", "detailed"), ("wordLevelTimestamps", "true")),
        {
            "RecognitionStatus": "Success",
            "NBest": [
                {
                    "Confidence": 0.5,
                    "Lexical": "are you open",
                    "ITN": "are you open",
                    "MaskedITN": "are you open",
                    "Display": "Are you open?",
                    "Words": [
                        {"Word": "are", "Offset": 5000000, "Duration": 2500000},
                        {"Word": "you", "Offset": 7500000, "Duration": 2500000},
                        {"Word": "open", "Offset": 10000000, "Duration": 2500000},
                    ],
                }
            ],
        },
    ),
    (
        listening.assemblyai(timestamps=True),
        {
            "text": "Are you open?",
            "confidence": 0.5,
            "audio_duration_ms": 1000,
            "words": [
                {"text": "Are", "confidence": 0.5, "start": 500, "end": 750},
                {"text": "you", "confidence": 0.5, "start": 750, "end": 1000},
                {"text": "open?", "confidence": 0.5, "start": 1000, "end": 1250},
            ],
        },
    ),
    (listening.assemblyai(), {"words": [{"text": one, "confidence": 0.5} for one in ("Are", "you", "open?")]}),
    (
        listening.deepgram(("punctuate", "true"), ("utterances", "true"), ("language", "en")),
        {
            "results": {
                "channels": [
                    {
                        "alternatives": [
                            {
                                "transcript": "Are you open?",
                                "confidence": 0.5,
                                "words": [
                                    spoken("are", 0.5, 0.75, punctuated_word="Are"),
                                    spoken("you", 0.75, 1.0, punctuated_word="you"),
                                    spoken("open", 1.0, 1.25, punctuated_word="open?"),
                                ],
                            }
                        ]
                    }
                ],
            }
        },
    ),
    (
        listening.deepgram(("detect_language", "true")),
        {
            "results": {
                "channels": [
                    {
                        "alternatives": [
                            {
                                "transcript": "are you open",
                                "confidence": 0.5,
                                "words": [
                                    {"word": "are", "start": 0.5, "end": 0.75, "confidence": 0.5},
                                    {"word": "you", "start": 0.75, "end": 1.0, "confidence": 0.5},
                                    {"word": "open", "start": 1.0, "end": 1.25, "confidence": 0.5},
                                ],
                            }
                        ],
                        "detected_language": "en",
                        "language_confidence": 0.5,
                    }
                ],
            }
        },
    ),
]  # fmt: skip


def wire_of(call: Call) -> Wire:
    return GOOGLE_V2 if call.target.startswith("/v2/") else TARGETS[call.dialect]


async def told(call: Call, transcript: Transcript) -> dict[str, Any]:
    """What the agent of *call* is told of *transcript*; the target is any that can do what is asked for."""
    to = "elevenlabs" if call.dialect != "elevenlabs" else "deepgram"
    made = translate(call.exchange(), target(to))
    answering: Any = made.answer
    checked = answering._checked(transcript)
    told = wire_of(call).tell(checked, answering.ask)
    assert told.content_type == "application/json"
    return dict(json.loads(told.body))


@pytest.mark.parametrize(("call", "expected"), TOLD)
async def test_an_agent_is_told_what_its_provider_would_tell(call: Call, expected: dict[str, Any]) -> None:
    """The recording, which is a second long, is more to be trusted than what a provider says of its length."""
    found = await told(call, FULL)
    if "results" in expected and "channels" in expected["results"]:
        found["results"] = {"channels": found["results"]["channels"]}
    assert {name: found[name] for name in expected} == expected


async def test_deepgrams_agents_are_told_of_the_recording_that_they_sent() -> None:
    call = listening.deepgram(("model", "nova-3"), ("utterances", "true"), ("diarize", "true"))
    words = (msgspec.structs.replace(ARE, speaker="x"), msgspec.structs.replace(YOU, speaker="y"))
    found = await told(call, msgspec.structs.replace(FULL, words=words))
    metadata = found["metadata"]
    assert metadata["sha256"] == hashlib.sha256(listening.WAV).hexdigest()
    [(identifier, info)] = metadata["model_info"].items()
    assert metadata["models"] == [identifier]
    assert (info["name"], metadata["duration"], metadata["channels"]) == ("nova-3", 1.0, 1)
    assert metadata["created"].endswith("Z")
    spoken = found["results"]["channels"][0]["alternatives"][0]["words"]
    assert [word["speaker"] for word in spoken] == [0, 1]
    assert [(one["speaker"], one["transcript"], len(one["words"])) for one in found["results"]["utterances"]] == [
        (0, "are", 1),
        (1, "you open", 1),
    ]


async def test_elevenlabs_agents_get_the_spaces_between_the_words() -> None:
    words = (msgspec.structs.replace(ARE, speaker="x"), msgspec.structs.replace(YOU, speaker="y"))
    found = await told(listening.elevenlabs(("diarize", "true")), msgspec.structs.replace(FULL, words=words))
    assert [(one["type"], one["text"], one["start"], one["end"], one["speaker_id"]) for one in found["words"]] == [
        ("word", "Are", 0.5, 0.75, "speaker_0"),
        ("spacing", " ", 0.75, 0.75, "speaker_0"),
        ("word", "you", 0.75, 1.0, "speaker_1"),
    ]
    assert found["words"][0]["logprob"] == math.log(0.5)


async def test_speakers_have_letters_with_openai() -> None:
    segments = (Segment("A", 0.0, 0.5, None, "x"), Segment("B", 0.5, 1.0, None, "y"), Segment("C", 1.0, 1.5, None, "x"))
    found = await told(
        listening.openai(("response_format", "diarized_json")), Transcript(text="A B C", segments=segments)
    )
    assert [(one["speaker"], one["text"], one["id"]) for one in found["segments"]] == [
        ("A", "A", "seg_000"),
        ("B", "B", "seg_001"),
        ("A", "C", "seg_002"),
    ]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("text", "Are you open?\n"),
        ("srt", "1\n00:00:00,500 --> 00:00:01,250\nAre you open?\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nAre you open?\n\n"),
    ],
)
async def test_openais_agents_are_told_in_plain_text(output: str, expected: str) -> None:
    call = listening.openai(("response_format", output), ("language", "en"))
    words = [{"word": one.text, "start": one.start, "end": one.end} for one in (ARE, YOU, OPEN)]
    said = answer({"type": "transcript", "text": "Are you open?", "words": words})
    given_back = await translate(call.exchange(), target("cartesia")).answer(said)
    assert given_back.headers.get("content-type") == "text/plain; charset=utf-8"
    assert given_back.headers.get("content-length") == str(len(expected.encode()))
    assert (given_back.body.data or b"").decode() == expected


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_what_a_wire_tells_it_hears_itself(wire: str) -> None:
    ask = Ask(words=Wish.REQUIRED, segments=Wish.REQUIRED, languages=("en",), output="detailed", model="m")
    if wire in ("openai", "azure_openai", "groq"):
        ask = msgspec.structs.replace(ask, output="verbose_json")
    transcript = WIRES[wire].hear(WIRES[wire].tell(FULL, ask).body)
    assert transcript.text == FULL.text
    if wire == "mistral":
        assert [one.text for one in transcript.segments] == ["Are", "you", "open?"]
    elif wire != "yandex":
        assert [(one.start, one.end) for one in transcript.words] == [(one.start, one.end) for one in FULL.words]


async def test_what_the_provider_says_of_itself_stays_with_it() -> None:
    said = answer({"text": "a"}, **{"x-ratelimit-remaining-requests": "0", "x-request-id": "r"})
    given_back = await asked("openai").answer(said)
    assert [name for name, _ in given_back.headers.fields] == [b"Content-Type", b"Content-Length"]


# -- times -------------------------------------------------------------------------------------------------------------


def timed(text: str, *words: tuple[str, float, float], **fields: Any) -> Transcript:
    return Transcript(text=text, words=tuple(Word(*word) for word in words), **fields)


@pytest.mark.parametrize(
    ("transcript", "expected"),
    [
        (timed(""), []),
        (timed("A b.", seconds=2.0), [("A b.", 0.0, 2.0)]),
        (timed("A b.", ("A", 0.1, 0.2), ("b", 0.3, 0.4)), [("A b.", 0.1, 0.4)]),
        (timed("A. B!", ("A", 0.1, 0.2), ("B", 0.3, 0.4)), [("A.", 0.1, 0.2), ("B!", 0.3, 0.4)]),
        (timed("A b", ("A", 0.1, 0.2), ("b", 1.3, 1.4)), [("A", 0.1, 0.2), ("b", 1.3, 1.4)]),
        (timed("a b c", ("a", 0, 5), ("b", 5, 9), ("c", 9, 11)), [("a b", 0, 9), ("c", 9, 11)]),
        (
            timed("你好。再见", ("你", 0, 1), ("好", 1, 2), ("再", 2, 3), ("见", 3, 4)),
            [("你好。", 0, 2), ("再见", 2, 4)],
        ),
        (timed("It cost $5.", ("five", 0.5, 1.0)), [("It cost $5.", 0.5, 1.0)]),
        (timed("He said: «No.» Yes.", ("No", 1, 2), ("Yes", 2, 3)), [("He said: «No.»", 1, 2), ("Yes.", 2, 3)]),
    ],
)
def test_segments_are_made_of_words(transcript: Transcript, expected: list[tuple[str, float, float]]) -> None:
    assert [(one.text, one.start, one.end) for one in segments_of(transcript)] == expected


def test_a_segment_ends_where_another_speaks() -> None:
    words = (Word("A", 0.1, 0.2, None, "x"), Word("b", 0.3, 0.4, None, "x"), Word("c", 0.4, 0.5, None, "y"))
    found = segments_of(Transcript(text="A b c", words=words))
    assert [(one.text, one.speaker) for one in found] == [("A b", "x"), ("c", "y")]
    assert speakers_of(Transcript(text="", words=words)) == {"x": 0, "y": 1}


@given(
    st.lists(st.tuples(st.text(max_size=5), st.floats(0, 1e6), st.floats(0, 1e6)), max_size=12), st.text(max_size=40)
)
def test_segments_have_all_of_the_text_in_order(words: list[tuple[str, float, float]], text: str) -> None:
    transcript = timed(text, *words)
    found = segments_of(transcript)
    if text and not words:
        assert len(found) == 1
    assert len(srt(found).encode()) >= 0
    assert vtt(found).startswith("WEBVTT\n\n")


def test_subtitles_are_well_formed_whatever_is_said() -> None:
    segments = (Segment("a\n\nb --> c", 3661.0015, 3662.9999), Segment("d", -1.0, 1e6))
    assert srt(segments) == ("1\n01:01:01,002 --> 01:01:03,000\na b --> c\n\n2\n00:00:00,000 --> 277:46:40,000\nd\n\n")
    assert vtt(segments).split("\n\n")[1] == "01:01:01.002 --> 01:01:03.000\na b -> c"
