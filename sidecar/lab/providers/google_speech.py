"""Google Cloud's speech services over REST: recognition of versions 1 and 2, and synthesis."""

import base64
from collections.abc import Sequence
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, from_base64
from sidecar.lab.emulation import Emulation, Route, bearer, get, post
from sidecar.lab.engines.contract import Segment, Transcript, Voice
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers.google_words import field, refuse
from sidecar.lab.providers.yandex import spoken_text
from sidecar.lab.reply import HeaderList, Refusal, Reply, Trouble, Work, json_reply
from sidecar.lab.speech import audio_file

_RAW = {"LINEAR16": "pcm_s16le", "MULAW": "mulaw", "ALAW": "alaw"}
_STT_NAMES = (
    *("ENCODING_UNSPECIFIED", "LINEAR16", "FLAC", "MULAW", "AMR", "AMR_WB", "OGG_OPUS"),
    *("SPEEX_WITH_HEADER_BYTE", "MP3", "WEBM_OPUS"),
)
_TTS_NAMES = ("AUDIO_ENCODING_UNSPECIFIED", "LINEAR16", "MP3", "OGG_OPUS", "", "MULAW", "ALAW", "PCM", "M4A")
_INLINE_LIMIT_BYTES = 10 << 20
_INLINE_LIMIT_SECONDS = 60.0
_TTS_LIMIT_BYTES = 5000


class GoogleSpeech(Emulation):
    name = "google-speech"
    hosts = (
        *("speech.googleapis.com", "eu-speech.googleapis.com", "us-speech.googleapis.com"),
        *("us-central1-speech.googleapis.com", "europe-west4-speech.googleapis.com"),
        "asia-southeast1-speech.googleapis.com",
        *("texttospeech.googleapis.com", "eu-texttospeech.googleapis.com", "us-texttospeech.googleapis.com"),
    )

    def routes(self) -> Sequence[Route]:
        recognizer = "/v2/projects/{project}/locations/{location}/recognizers/{recognizer}:recognize"
        return (
            *(post(f"/{version}/speech:recognize", self._recognize) for version in ("v1", "v1p1beta1")),
            post(recognizer, self._recognize_v2),
            *(post(f"/{version}/text:synthesize", self._synthesize) for version in ("v1", "v1beta1")),
            get("/v1/voices", self._voices),
        )

    def credential(self, call: Call) -> str | None:
        return bearer(call) or call.headers.get("x-goog-api-key") or call.query("key")

    def refuse(self, refusal: Refusal) -> Reply:
        return refuse(refusal)

    def answer_headers(self, call: Call) -> HeaderList:
        return [("Server", "ESF"), ("Vary", "Origin"), ("Server-Timing", "gfet4t7; dur=1")]

    async def _voices(self, call: Call) -> Reply:
        voice = {
            "languageCodes": ["en-US"],
            "name": "en-US-Lab-A",
            "ssmlGender": "FEMALE",
            "naturalSampleRateHertz": 24000,
        }
        return json_reply({"voices": [voice]})

    async def _recognize(self, call: Call) -> Reply:
        body = call.json()
        config, audio = body.get("config") or {}, body.get("audio") or {}
        language = str(field(config, "languageCode") or "")
        if not language:
            raise Refusal(Trouble.INVALID, "Invalid recognition 'config': bad language code.", param="config")
        encoding = _enum(config.get("encoding"), _STT_NAMES)
        data = _audio_bytes(audio)
        raw = None
        if encoding in _RAW and data[:4] != b"RIFF":
            rate = field(config, "sampleRateHertz")
            if not rate:
                raise Refusal(
                    Trouble.INVALID, "sample_rate_hertz (0) in RecognitionConfig must be set.", param="config"
                )
            raw = RawAudio(_RAW[encoding], int(rate), int(field(config, "audioChannelCount") or 1))
        transcript = await _transcript(call, data, raw, language)
        results = [
            {
                "alternatives": [_alternative(one, config, "Time")],
                "resultEndTime": _duration(one.end_seconds),
                "languageCode": language.lower(),
            }
            for one in transcript.segments
        ]
        answer = {"totalBilledTime": _billed(transcript), "requestId": str(int(call.ids.hex(15), 16))}
        work = Work(Operation.STT, transcript.duration_seconds)
        return json_reply({"results": results, **answer} if results else answer, work=work)

    async def _recognize_v2(self, call: Call) -> Reply:
        body = call.json()
        config = body.get("config") or {}
        explicit = field(config, "explicitDecodingConfig")
        data = _audio_bytes(body)
        raw = None
        if explicit is not None and str(explicit.get("encoding")) in _RAW:
            rate = int(field(explicit, "sampleRateHertz") or 16000)
            raw = RawAudio(_RAW[explicit["encoding"]], rate, int(field(explicit, "audioChannelCount") or 1))
        languages = field(config, "languageCodes") or ["en-US"]
        transcript = await _transcript(call, data, raw, str(languages[0]))
        results = [
            {
                "alternatives": [_alternative(one, config.get("features") or {}, "Offset")],
                "resultEndOffset": _duration(one.end_seconds),
                "languageCode": languages[0],
            }
            for one in transcript.segments
        ]
        metadata = {"totalBilledDuration": _billed(transcript), "requestId": call.ids.uuid()}
        return json_reply(
            {"results": results, "metadata": metadata}, work=Work(Operation.STT, transcript.duration_seconds)
        )

    async def _synthesize(self, call: Call) -> Reply:
        body = call.json()
        given: Json = body.get("input") or {}
        text = spoken_text(str(given.get("text") or given.get("ssml") or given.get("markup") or ""))
        if not text or len(text.encode()) > _TTS_LIMIT_BYTES:
            raise Refusal(Trouble.INVALID, f"input: 1 to {_TTS_LIMIT_BYTES} bytes are expected.", param="input")
        chosen = body.get("voice") or {}
        if not field(chosen, "languageCode"):
            raise Refusal(Trouble.INVALID, "Either voice name or language code is required.", param="voice")
        config: Json = field(body, "audioConfig") or {}
        style = repr((config.get("pitch"), chosen, given.get("prompt")))
        voice = Voice(str(chosen.get("name") or ""), "", float(field(config, "speakingRate") or 1.0), style)
        data, _ = await audio_file(call, text, voice, _tts_format(config))
        answer = {"audioContent": base64.b64encode(data).decode()}
        return json_reply(answer, work=Work(Operation.TTS, len(text)))


def _enum(value: Any, names: Sequence[str]) -> str:
    """An enumeration's value by name; SDKs send its number."""
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return str(value or names[0])


def _audio_bytes(audio: Json) -> bytes:
    if isinstance(content := audio.get("content"), str) and content:
        data = from_base64(content, "audio.content")
        if len(data) > _INLINE_LIMIT_BYTES:
            raise Refusal(Trouble.INVALID, "Request payload size exceeds the limit: 10485760 bytes.")
        return data
    if isinstance(uri := audio.get("uri"), str) and uri:
        # nothing is fetched from elsewhere: an address stands for some audio or other
        return uri.encode()
    raise Refusal(Trouble.INVALID, "RecognitionAudio not set.", param="audio")


async def _transcript(call: Call, data: bytes, raw: RawAudio | None, language: str) -> Transcript:
    transcript = await transcript_of(call, data, raw, language=language[:2])
    if transcript.duration_seconds > _INLINE_LIMIT_SECONDS:
        raise Refusal(Trouble.INVALID, "Sync input too long. For audio longer than 1 min use LongRunningRecognize.")
    return transcript


def _duration(seconds: float) -> str:
    return f"{seconds:.3f}s"


def _billed(transcript: Transcript) -> str:
    return f"{max(round(transcript.duration_seconds), 1)}s"


def _alternative(segment: Segment, wanted: Json, suffix: str) -> Json:
    """*wanted* says whether to punctuate and to time; *suffix* is how the version's time fields end."""
    text = segment.text.strip()
    if not field(wanted, "enableAutomaticPunctuation"):
        text = "".join(letter for letter in text.lower() if letter not in ".,!?;:")
    made: Json = {"transcript": text, "confidence": 0.97}
    if field(wanted, "enableWordTimeOffsets"):
        made["words"] = [
            {
                f"start{suffix}": _duration(word.start_seconds),
                f"end{suffix}": _duration(word.end_seconds),
                "word": word.text,
            }
            for word in segment.words
        ]
    return made


def _tts_format(config: Json) -> AudioFormat:
    encoding = _enum(field(config, "audioEncoding"), _TTS_NAMES)
    rate = int(field(config, "sampleRateHertz") or 24000)
    made = {
        "LINEAR16": formats.wav(rate),
        "MP3": formats.mp3(rate),
        "OGG_OPUS": formats.opus(rate),
        "MULAW": formats.wav(rate, "mulaw"),
        "ALAW": formats.wav(rate, "alaw"),
        "PCM": formats.raw("pcm_s16le", rate),
    }.get(encoding)
    if made is None:
        raise Refusal(Trouble.INVALID, f"Unsupported audio encoding {encoding}.", param="audio_config")
    return made
