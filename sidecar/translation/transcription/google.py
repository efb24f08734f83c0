"""Google Cloud's wire in both versions: everything in one JSON object, the recording as base64.

Names come in camelCase and snake_case, enumerations as words and as numbers.
"""

import base64
import secrets
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from sidecar.dialects import fields, members
from sidecar.dialects.fields import Fields
from sidecar.dialects.members import Members
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.contract import Inexpressible
from sidecar.translation.transcription import google_answer, languages
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish
from sidecar.translation.transcription.recording import Sound
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {
    "maxAlternatives": "how many guesses there may be at most: one is within any number",
    "metadata": "describes where the recording was made",
    "useEnhanced": "which variant of the agent's model is meant",
    "denoiserConfig": "how the provider treats the recording for itself",
    "$alt": "how the agent's client writes enumerations, of which there are none in an answer",
    "prettyPrint": "white space in the answer",
}
_ALONE: Final = "no other provider does that in the same way"
PECULIAR: Final[Mapping[str, str]] = {
    **dict.fromkeys(("enableSpokenPunctuation", "enableSpokenEmojis", "transcriptNormalization"), _ALONE),
    "enableSeparateRecognitionPerChannel": "no other provider hears channels apart",
    "multiChannelMode": "no other provider hears channels apart",
    "adaptation": "it names what is kept by the agent's provider",
    "configMask": "the rest of the configuration is kept by the agent's provider",
    "recognizer": "its configuration is kept by the agent's provider",
    "alt": "another form of answer than JSON",
}
_ENCODINGS: Final = {
    "pcm": "LINEAR16",
    "mulaw": "MULAW",
    "alaw": "ALAW",
    "amr": "AMR",
    "amr_wb": "AMR_WB",
    "mp3": "MP3",
    "opus": "OGG_OPUS",
    "webm": "WEBM_OPUS",
}
_OPUS_RATES: Final = frozenset((8000, 12000, 16000, 24000, 48000))
_OPUS_RATE: Final = 48000
#: What Google writes in its own way ("Speech-to-Text supported languages").
_OWN_CODES: Final = {"he": "iw-IL", "no": "no-NO", "pa": "pa-Guru-IN"}
_MOST_TERMS: Final = 5000
_RECOGNIZER_MARK: Final = "projects/"

_encode = msgspec.json.encode
_raws = msgspec.json.Decoder(list[Raw]).decode


class GoogleCloud(Wire):
    dialect: ClassVar[str] = "google_cloud"

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        data = exchange.request.body.data or b""
        request = members.camel(data)
        config = members.inner(request, "config")
        speakers, count = _speakers(members.inner(config, "diarizationConfig"))
        others = members.texts(config, "alternativeLanguageCodes")
        terms, unknown = _adapted(members.inner(config, "adaptation"), _listed(config, "speechContexts"))
        known = {"encoding", "sampleRateHertz", "audioChannelCount", "languageCode", "alternativeLanguageCodes"}
        known |= {"model", "profanityFilter", "speechContexts", "adaptation", "diarizationConfig"}
        known |= {"enableWordTimeOffsets", "enableWordConfidence", "enableAutomaticPunctuation"}
        rest = Fields(
            (
                *members.rest(config, known),
                *members.rest(request, ("config", "audio")),
                *members.rest(members.inner(request, "audio"), ("content", "uri")),
                *_query(exchange),
                *unknown,
            )
        )
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        timed = speakers or members.flag(config, "enableWordTimeOffsets")
        sure = members.flag(config, "enableWordConfidence")
        return Ask(
            sound=Sound(channels=members.integer(config, "audioChannelCount")),
            address=asked.audio_url,
            model=asked.model,
            languages=((asked.language, *others) if asked.language else others),
            terms=terms,
            words=Wish.REQUIRED if timed else Wish.WELCOME if sure else Wish.NO,
            speakers=speakers,
            speaker_count=count,
            punctuation=Wish.REQUIRED if members.flag(config, "enableAutomaticPunctuation") else Wish.NO,
            filter_profanity=members.flag(config, "profanityFilter"),
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        return Able(
            words=True,
            speakers=True,
            terms=_MOST_TERMS,
            candidates=4,
            filters_profanity=True,
            confident=True,
        )

    def write(self, ask: Ask, model: str | None) -> Written:
        first, *others = _codes(ask)
        config: dict[str, Any] = {"languageCode": first}
        if others:
            config["alternativeLanguageCodes"] = others
        if model:
            config["model"] = model
        config |= _decoding(ask)
        switches = {
            "enableAutomaticPunctuation": bool(ask.punctuation),
            "enableWordTimeOffsets": bool(ask.words or ask.segments),
            "enableWordConfidence": bool(ask.words),
            "profanityFilter": ask.filter_profanity,
        }
        config |= {name: True for name, wanted in switches.items() if wanted}
        if ask.terms:
            config["speechContexts"] = [{"phrases": list(ask.terms)}]
        if ask.speakers:
            config["diarizationConfig"] = {"enableSpeakerDiarization": True, **_counted(ask)}
        audio = {"content": base64.b64encode(ask.audio).decode()}
        # the description of the encoding MP3 says that only this version has it
        version = "v1p1beta1" if ask.sound.format == "mp3" else "v1"
        return Written(f"/{version}/speech:recognize", JSON, _encode({"config": config, "audio": audio}))

    def hear(self, data: bytes) -> Transcript:
        return google_answer.heard(data)

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        results = google_answer.told_results(transcript, ask, "Time")
        told: dict[str, Any] = {"results": results} if results else {}
        told |= {"totalBilledTime": google_answer.billed(transcript), "requestId": str(secrets.randbits(60))}
        return Told(JSON, _encode(told))


class GoogleCloudV2(Wire):
    """The second version. As a target it wants a recognizer for its model, which a project must have:
    ``projects/PROJECT/locations/LOCATION/recognizers/_``, and ``/models/MODEL`` behind that.
    """

    dialect: ClassVar[str] = "google_cloud.v2"

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        request = members.camel(exchange.request.body.data or b"")
        config = members.inner(request, "config")
        features = members.inner(config, "features")
        target = members.text(members.inner(config, "translationConfig"), "targetLanguage")
        codes = tuple(code for code in members.texts(config, "languageCodes") if code != "auto")
        terms, unknown = _adapted(members.inner(config, "adaptation"), ())
        speakers, count = _speakers(members.inner(features, "diarizationConfig"), "diarizationConfig" in features)
        known = {"autoDecodingConfig", "explicitDecodingConfig", "model", "languageCodes", "features", "adaptation"}
        switched = {"enableWordTimeOffsets", "enableWordConfidence", "enableAutomaticPunctuation", "profanityFilter"}
        named = asked.parameters[:1] if asked.parameters and asked.parameters[0][0] == "recognizer" else ()
        rest = Fields(
            (
                *members.rest(config, known | {"translationConfig"}),
                *members.rest(features, switched | {"diarizationConfig", "customPromptConfig"}),
                *members.rest(request, ("config", "content", "uri", "recognizer")),
                *_query(exchange),
                *unknown,
                *named,
            )
        )
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        if target is not None and languages.short(target) != "en":
            peculiar = (*peculiar, ("translationConfig", "no other provider translates into that language"))
        timed = speakers or members.flag(features, "enableWordTimeOffsets")
        sure = members.flag(features, "enableWordConfidence")
        decoding = members.inner(config, "explicitDecodingConfig")
        return Ask(
            sound=Sound(channels=members.integer(decoding, "audioChannelCount")),
            address=asked.audio_url,
            model=asked.model,
            languages=codes,
            prompt=members.text(members.inner(features, "customPromptConfig"), "customPrompt") or "",
            terms=terms,
            words=Wish.REQUIRED if timed else Wish.WELCOME if sure else Wish.NO,
            speakers=speakers,
            speaker_count=count,
            translate=target is not None and languages.short(target) == "en",
            punctuation=Wish.REQUIRED if members.flag(features, "enableAutomaticPunctuation") else Wish.NO,
            filter_profanity=members.flag(features, "profanityFilter"),
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """Chirp finds out the language and translates, and its third version takes prompts
        (google/cloud/speech_v2/types/cloud_speech.py; "Chirp 2" and "Chirp 3" on cloud.google.com).
        """
        name = recognizer_of(model)[1] or ""
        chirp = name.startswith("chirp")
        return Able(
            words=True,
            speakers=True,
            prompt=4000 if name.startswith("chirp_3") else 0,
            terms=_MOST_TERMS,
            detects=chirp,
            candidates=3,
            translates=chirp,
            filters_profanity=True,
            confident=True,
        )

    def write(self, ask: Ask, model: str | None) -> Written:
        recognizer, name = recognizer_of(model)
        if recognizer is None:
            raise Inexpressible("model", "the second version wants a recognizer: projects/…/locations/…/recognizers/…")
        config: dict[str, Any] = {"languageCodes": ["auto"] if not ask.languages else list(_codes(ask))}
        if name:
            config["model"] = name
        if ask.sound.format in _HEADERLESS:
            rate = {"sampleRateHertz": ask.sound.rate, "audioChannelCount": ask.sound.channels or 1}
            config["explicitDecodingConfig"] = {"encoding": _ENCODINGS[ask.sound.format], **rate}
        else:
            config["autoDecodingConfig"] = {}
        switches = {
            "enableAutomaticPunctuation": bool(ask.punctuation),
            "enableWordTimeOffsets": bool(ask.words or ask.segments),
            "enableWordConfidence": bool(ask.words),
            "profanityFilter": ask.filter_profanity,
        }
        features: dict[str, Any] = {name: True for name, wanted in switches.items() if wanted}
        if ask.speakers:
            features["diarizationConfig"] = _counted(ask)
        if ask.prompt:
            features["customPromptConfig"] = {"customPrompt": ask.prompt}
        if features:
            config["features"] = features
        if ask.terms:
            phrases = {"phrases": [{"value": term} for term in ask.terms]}
            config["adaptation"] = {"phraseSets": [{"inlinePhraseSet": phrases}]}
        if ask.translate:
            config["translationConfig"] = {"targetLanguage": "en-US"}
        body = {"config": config, "content": base64.b64encode(ask.audio).decode()}
        routed = (("x-goog-request-params", f"recognizer={recognizer}"),)
        return Written(f"/v2/{recognizer}:recognize", JSON, _encode(body), routed)

    def hear(self, data: bytes) -> Transcript:
        return google_answer.heard(data)

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        results = google_answer.told_results(transcript, ask, "Offset")
        metadata = {"totalBilledDuration": google_answer.billed(transcript), "requestId": str(uuid.uuid4())}
        return Told(JSON, _encode({"results": results, "metadata": metadata}))


_HEADERLESS: Final = frozenset(("pcm", "mulaw", "alaw"))


def _query(exchange: Exchange) -> Iterable[tuple[str, str]]:
    """``alt=json`` is how it is anyway."""
    return [pair for pair in fields.of_query(exchange.request.query).rest() if pair != ("alt", "json")]


def _listed(config: Members, name: str) -> list[Raw]:
    raw = config.get(name)
    return [] if raw is None else _raws(raw)


def _adapted(adaptation: Members, contexts: Iterable[Raw]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The phrases to listen for that are said in the request itself, and the rest, which is kept elsewhere."""
    terms: list[str] = []
    for context in contexts:
        terms += members.texts(members.camel(context), "phrases")
    for raw in _listed(adaptation, "phraseSets"):
        phrase_set = members.camel(raw)
        inline = members.inner(phrase_set, "inlinePhraseSet") or phrase_set
        if not _listed(inline, "phrases"):
            return tuple(terms), [("adaptation", "named")]
        values = [members.text(members.camel(phrase), "value") for phrase in _listed(inline, "phrases")]
        terms += [value for value in values if value]
    unknown = [("adaptation", "named")] if set(adaptation) - {"phraseSets"} else []
    return tuple(terms), unknown


def _speakers(config: Members, present: bool = False) -> tuple[bool, int | None]:
    wanted = present or members.flag(config, "enableSpeakerDiarization")
    return wanted, members.integer(config, "maxSpeakerCount") if wanted else None


def _counted(ask: Ask) -> dict[str, int]:
    return {"minSpeakerCount": 1, "maxSpeakerCount": ask.speaker_count} if ask.speaker_count else {}


def _codes(ask: Ask) -> tuple[str, ...]:
    if not ask.languages:
        raise Inexpressible("detect_language", "Google has to be told which language is spoken")
    return tuple(languages.regional(language, _OWN_CODES) for language in ask.languages)


def _decoding(ask: Ask) -> dict[str, Any]:
    """WAV and FLAC say themselves what they are."""
    encoding, rate = _ENCODINGS.get(ask.sound.format), ask.sound.rate
    if encoding is None:
        return {}
    if ask.sound.format in ("opus", "webm"):
        rate = rate if rate in _OPUS_RATES else _OPUS_RATE
    return {"encoding": encoding, **({"sampleRateHertz": rate} if rate else {})}


def recognizer_of(model: str | None) -> tuple[str | None, str | None]:
    """The recognizer that a model's name begins with, and the model itself."""
    if model is None or not model.startswith(_RECOGNIZER_MARK):
        return None, model
    recognizer, _, name = model.partition("/models/")
    return quote(recognizer, safe="/"), name or None
