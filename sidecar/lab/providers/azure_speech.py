"""Azure's speech services over REST: recognition of short audio, fast transcription, synthesis from SSML."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, read_json
from sidecar.lab.emulation import Emulation, Route, bearer, get, post
from sidecar.lab.engines.contract import Transcript, Voice
from sidecar.lab.hearing import transcript_of
from sidecar.lab.reply import STATUS, HeaderList, Refusal, Reply, Trouble, Work, json_reply, stream_reply, text_reply
from sidecar.lab.speech import audio_stream

_CONVERSATION = "/speech/recognition/conversation/cognitiveservices/v1"
_TICKS_PER_SECOND = 10_000_000
_LIMIT_SECONDS = 60.0
_FORMAT = re.compile(
    r"(?P<head>raw|riff|audio|ogg|webm)-(?P<rate>\d+)k?hz-(?P<bits>\d+)(?P<unit>bit|kbitrate|kbps)-mono-(?P<codec>\w+)"
)


class AzureSpeech(Emulation):
    name = "azure-speech"
    hosts = (
        "*.stt.speech.microsoft.com",
        "*.tts.speech.microsoft.com",
        "*.api.cognitive.microsoft.com",
    )

    def routes(self) -> Sequence[Route]:
        return (
            post(_CONVERSATION, self._recognize),
            post("/speech/recognition/interactive/cognitiveservices/v1", self._recognize),
            post("/speech/recognition/dictation/cognitiveservices/v1", self._recognize),
            post("/speechtotext/transcriptions:transcribe", self._transcribe),
            post("/cognitiveservices/v1", self._synthesize),
            get("/cognitiveservices/voices/list", self._voices),
            post("/sts/v1.0/issueToken", self._token),
            post("/sts/v1.0/issuetoken", self._token),
        )

    def credential(self, call: Call) -> str | None:
        return call.headers.get("Ocp-Apim-Subscription-Key") or bearer(call)

    def refuse(self, refusal: Refusal) -> Reply:
        status = refusal.status_or(502 if refusal.trouble is Trouble.OVERLOADED else STATUS[refusal.trouble])
        if refusal.trouble is Trouble.AUTH:
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            return json_reply({"error": {"code": str(status), "message": message}}, status=status)
        if refusal.trouble in (Trouble.NOT_FOUND, Trouble.METHOD):
            return json_reply({"error": {"code": "404", "message": "Resource not found"}}, status=404)
        error: Json = {"code": str(status), "message": refusal.message}
        return json_reply({"error": error}, status=status, headers=refusal.retry_headers)

    def answer_headers(self, call: Call) -> HeaderList:
        return [("X-RequestId", call.ids.hex(32)), ("x-envoy-upstream-service-time", "1")]

    async def _token(self, call: Call) -> Reply:
        return text_reply(f"lab.{call.ids.hex(40)}.token", content_type="application/jwt; charset=us-ascii")

    async def _voices(self, call: Call) -> Reply:
        voice = {"Name": "Lab", "ShortName": "en-US-LabNeural", "Gender": "Female", "Locale": "en-US"}
        return json_reply([{**voice, "SampleRateHertz": "24000", "VoiceType": "Neural", "Status": "GA"}])

    async def _recognize(self, call: Call) -> Reply:
        language = call.query("language")
        if not language:
            raise Refusal(Trouble.INVALID, "The language parameter is required.", param="language")
        if call.content_type not in ("audio/wav", "audio/ogg", "audio/x-wav"):
            raise Refusal(Trouble.UNSUPPORTED, "Only WAV (PCM) and Ogg (Opus) are supported.")
        transcript = await transcript_of(call, call.body, language=language[:2])
        if transcript.duration_seconds > _LIMIT_SECONDS:
            raise Refusal(Trouble.INVALID, "Only the first 60 seconds of audio are recognized.")
        answer = _recognized(transcript, detailed=call.query("format") == "detailed")
        return json_reply(answer, work=Work(Operation.STT, transcript.duration_seconds))

    async def _transcribe(self, call: Call) -> Reply:
        form = call.multipart()
        part, definition = form.part("audio"), read_json(form.text("definition", "{}"))
        if part is None:
            raise Refusal(Trouble.INVALID, "The audio part is missing.", param="audio")
        locale = str((definition.get("locales") or ["en-US"])[0])
        transcript = await transcript_of(call, part.data, language=locale[:2])
        phrases = [
            {
                "offsetMilliseconds": round(one.start_seconds * 1000),
                "durationMilliseconds": round((one.end_seconds - one.start_seconds) * 1000),
                "text": one.text.strip(),
                "words": [
                    {
                        "text": word.text,
                        "offsetMilliseconds": round(word.start_seconds * 1000),
                        "durationMilliseconds": round((word.end_seconds - word.start_seconds) * 1000),
                    }
                    for word in one.words
                ],
                "locale": locale,
                "confidence": 0.95,
            }
            for one in transcript.segments
        ]
        return json_reply(
            {
                "durationMilliseconds": round(transcript.duration_seconds * 1000),
                "combinedPhrases": [{"text": transcript.text}],
                "phrases": phrases,
            },
            work=Work(Operation.STT, transcript.duration_seconds),
        )

    async def _synthesize(self, call: Call) -> Reply:
        if not call.headers.get("User-Agent"):
            raise Refusal(Trouble.INVALID, "The User-Agent header is required.")
        if call.content_type != "application/ssml+xml":
            raise Refusal(Trouble.UNSUPPORTED, "The content type must be application/ssml+xml.")
        name = call.headers.get("X-Microsoft-OutputFormat", "")
        audio = output_format(name)
        text, voice = _spoken(call.body)
        kind = audio.content_type if audio.container != "raw" else "audio/basic"
        return stream_reply(audio_stream(call, text, voice, audio), kind, work=Work(Operation.TTS, len(text)))


def output_format(name: str) -> AudioFormat:
    """``riff-24khz-16bit-mono-pcm``, ``audio-16khz-32kbitrate-mono-mp3``, ``raw-8khz-8bit-mono-mulaw``, …"""
    found = _FORMAT.fullmatch(name)
    if found is None:
        raise Refusal(Trouble.INVALID, f"Unsupported output format {name!r}.", param="X-Microsoft-OutputFormat")
    # 22050 and 44100 Hz are written with their hundreds
    rate = {"22050": 22050, "44100": 44100}.get(found["rate"], int(found["rate"]) * 1000)
    codec = {"pcm": "pcm_s16le", "truesilk": "", "siren": ""}.get(found["codec"], found["codec"])
    if codec in ("pcm_s16le", "mulaw", "alaw"):
        return formats.wav(rate, codec) if found["head"] == "riff" else formats.raw(codec, rate)
    if codec == "mp3":
        return formats.mp3(rate, int(found["bits"]) * 1000)
    if codec == "opus":
        return formats.webm(rate) if found["head"] == "webm" else formats.opus(rate)
    raise Refusal(Trouble.INVALID, f"The output format {name!r} is not emulated.", param="X-Microsoft-OutputFormat")


def _spoken(ssml: bytes) -> tuple[str, Voice]:
    try:
        root = ElementTree.fromstring(ssml)
    except ElementTree.ParseError as error:
        raise Refusal(Trouble.INVALID, f"The SSML is not well-formed: {error}.") from None
    voice = next((one for one in root.iter() if one.tag.rpartition("}")[2] == "voice"), None)
    if voice is None or not voice.get("name"):
        raise Refusal(Trouble.INVALID, "The SSML names no voice.")
    text = " ".join("".join(root.itertext()).split())
    style = repr(sorted((one.tag, tuple(sorted(one.attrib.items()))) for one in voice.iter() if one is not voice))
    return text, Voice(str(voice.get("name")), "neural", 1.0, style)


def _recognized(transcript: Transcript, *, detailed: bool) -> Json:
    """A success even where there was nothing to recognise: the status is in the body."""
    times = {"Offset": 0, "Duration": round(transcript.duration_seconds * _TICKS_PER_SECOND)}
    if not transcript.segments:
        return {"RecognitionStatus": "InitialSilenceTimeout", **times}
    text = transcript.text
    if not detailed:
        return {"RecognitionStatus": "Success", "DisplayText": text, **times}
    plain = "".join(letter for letter in text.lower() if letter not in ".,!?;:")
    best = {"Confidence": 0.95, "Lexical": plain, "ITN": plain, "MaskedITN": plain, "Display": text}
    return {"RecognitionStatus": "Success", **times, "NBest": [best], "DisplayText": text}
