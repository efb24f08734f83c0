"""OpenAI's wire for transcriptions and translations, and those that follow it: Azure OpenAI, Groq, compatible servers.

As a target it is asked for JSON, with as many times in it as are wanted; subtitles are written here.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from msgspec.structs import replace

from sidecar.dialects import fields
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.transcription import languages, openai_answer
from sidecar.translation.transcription.forms import form, recording
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish
from sidecar.translation.transcription.wire import Able, Hearing, Telling, Told, Wire, Written, left_over

#: Fields that make no difference to the answer.
INDIFFERENT: Final[Mapping[str, str]] = {
    "chunking_strategy": "how the provider cuts the recording for itself",
    "api-version": "which version of the agent's provider it is written for",
}
#: Fields that only their provider can heed.
PECULIAR: Final[Mapping[str, str]] = {
    "known_speaker_names": "no other provider knows speakers by samples of their voices",
    "known_speaker_references": "no other provider knows speakers by samples of their voices",
}
_LONGEST_PROMPT: Final = 100_000
"""Whisper heeds the last 224 tokens of a prompt and refuses none."""


class OpenAI(Wire):
    dialect: ClassVar[str] = "openai"
    transcriptions: ClassVar[str] = "/v1/audio/transcriptions"
    translations: ClassVar[str] = "/v1/audio/translations"
    fetches: ClassVar[bool] = False
    streams: ClassVar[bool] = True
    """Whether there are models that do."""

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        rest = Fields((*asked.parameters, *fields.of_query(exchange.request.query).rest()))
        several = rest.take_all("languages")
        terms, included = rest.take_all("keywords"), rest.take_all("include")
        temperature = rest.take("temperature")
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        if set(included) - {"logprobs"}:
            peculiar = (*peculiar, ("include", "no other provider gives that"))
        output = asked.response_format or "json"
        times = asked.timestamps if output == "verbose_json" else ()
        subtitled = output in ("srt", "vtt", "diarized_json")
        return Ask(
            address=asked.audio_url,
            model=asked.model,
            languages=(asked.language,) if asked.language else several,
            prompt=asked.prompt or "",
            terms=terms,
            words=Wish.REQUIRED if "word" in times else Wish.NO,
            segments=Wish.REQUIRED if subtitled or "segment" in (times or _default(output)) else Wish.NO,
            speakers=output == "diarized_json",
            logprobs="logprobs" in included,
            translate=asked.translate,
            temperature=fields.number(temperature),
            # this one model ignores it
            stream=asked.stream and asked.model != "whisper-1",
            output=output,
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """By the name: openai/types/audio/transcription_create_params.py tells what each kind of model can do. A name
        of which nothing is known is taken for a Whisper's, as compatible servers have them.
        """
        name = (model or "").lower()
        if "diarize" in name:
            return Able(segments=True, speakers=True, detects=True, streams=self.streams, needs_model=True)
        shared = Able(prompt=_LONGEST_PROMPT, detects=True, samples_text=True, needs_model=True, fetches=self.fetches)
        if "gpt" in name:
            several = "gpt-transcribe" in name
            return replace(shared, terms=1000 if several else 0, candidates=10 if several else 1, streams=self.streams)
        if translate:
            return replace(shared, segments=True, translates=self.translates_with(name), candidates=0)
        return replace(shared, words=True, segments=True, translates=self.translates_with(name))

    def translates_with(self, model: str) -> bool:
        return True

    def write(self, ask: Ask, model: str | None) -> Written:
        pairs = [("model", model or "")]
        if len(ask.languages) == 1 and not ask.translate:
            pairs.append(("language", languages.short(ask.languages[0])))
        elif not ask.translate:
            pairs += [("languages[]", languages.short(language)) for language in ask.languages]
        if ask.prompt:
            pairs.append(("prompt", ask.prompt))
        pairs += [("keywords[]", term) for term in ask.terms]
        pairs += self._form_of_answer(ask)
        if ask.temperature is not None:
            pairs.append(("temperature", f"{ask.temperature:g}"))
        if ask.stream:
            pairs.append(("stream", "true"))
        if ask.address is not None:
            pairs.append(("url", ask.address))
        content_type, body = form(pairs, *recording("file", ask))
        return Written(self.translations if ask.translate else self.transcriptions, content_type, body)

    def _form_of_answer(self, ask: Ask) -> list[tuple[str, str]]:
        """JSON with the times that are wanted, or the very form that *ask* names."""
        if ask.output in ("srt", "vtt", "text"):
            return [("response_format", ask.output)]
        if ask.speakers:
            return [("response_format", "diarized_json")]
        if not (ask.words or ask.segments):
            return [("response_format", "json")]
        granularities = [name for name, wanted in (("word", ask.words), ("segment", ask.segments)) if wanted]
        if ask.translate:
            granularities = []
        return [
            ("response_format", "verbose_json"),
            *(("timestamp_granularities[]", granularity) for granularity in granularities),
        ]

    def hear(self, data: bytes) -> Transcript:
        return openai_answer.heard(data)

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        return openai_answer.told(transcript, ask)

    def hearing(self) -> Hearing | None:
        return openai_answer.hearing()

    def telling(self, ask: Ask) -> Telling | None:
        return openai_answer.telling(ask)


class AzureOpenAI(OpenAI):
    """The surface without dated versions, which finds a deployment by the form's field."""

    dialect: ClassVar[str] = "azure_openai"
    transcriptions: ClassVar[str] = "/openai/v1/audio/transcriptions"
    translations: ClassVar[str] = "/openai/v1/audio/translations"


class Groq(OpenAI):
    dialect: ClassVar[str] = "groq"
    transcriptions: ClassVar[str] = "/openai/v1/audio/transcriptions"
    translations: ClassVar[str] = "/openai/v1/audio/translations"
    fetches: ClassVar[bool] = True
    streams: ClassVar[bool] = False

    def translates_with(self, model: str) -> bool:
        return "turbo" not in model


def _default(output: str) -> tuple[str, ...]:
    return ("segment",) if output == "verbose_json" else ()
