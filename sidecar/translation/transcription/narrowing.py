"""A request cut down to what a provider can do: what may be left out goes, and anything else is a refusal."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from sidecar.translation.transcription import languages
from sidecar.translation.transcription.neutral import Ask, Wish
from sidecar.translation.transcription.wire import Able, Leave

#: What `sidecar.translation.Inexpressible` and ``may_lose`` call the features of a request to write down speech,
#: besides ``format``, ``length``, ``model``, ``call`` and ``body``, which cannot be left out, and fields by their name.
FEATURES: Final = (
    "audio_url",
    "detect_language",
    "diarization",
    "keyterms",
    "language",
    "logprobs",
    "profanity_filter",
    "prompt",
    "punctuation",
    "segment_timestamps",
    "translate",
    "word_timestamps",
)


def narrowed(ask: Ask, able: Able, leave: Leave, provider: str) -> Ask:
    """*ask* with nothing in it that *provider* cannot do. What is lost is in *leave*.

    Raises:
        Inexpressible: it cannot do something that must not be lost.
    """
    for name, reason in ask.peculiar:
        leave.without(name, reason)
    for name in ask.indifferent:
        leave.note(name)
    if ask.address is not None and not able.fetches:
        # there is nothing to fall back on, so leave does not help
        Leave().without("audio_url", f"{provider} fetches no recordings")
    for name, reason in _switched(ask, able, provider):
        leave.without(name, reason)
    if ask.temperature is not None and not able.samples_text:
        leave.note("temperature")
    ask = _timed(ask, able, leave, provider)
    ask = _guided(ask, able, leave, provider)
    ask = replace(
        ask,
        translate=ask.translate and able.translates,
        logprobs=False,
        filter_profanity=ask.filter_profanity and able.filters_profanity,
        temperature=ask.temperature if able.samples_text else None,
    )
    return replace(ask, languages=_languages(ask, able, leave, provider))


def _switched(ask: Ask, able: Able, provider: str) -> Iterator[tuple[str, str]]:
    """What is asked for by a switch and cannot be had."""
    if ask.translate and not able.translates:
        yield "translate", f"{provider} does not translate into English"
    if ask.logprobs:
        yield "logprobs", f"{provider} does not tell the probabilities of tokens"
    if ask.filter_profanity and not able.filters_profanity:
        yield "profanity_filter", f"{provider} has none"
    if ask.punctuation is Wish.REQUIRED and not able.punctuates:
        yield "punctuation", f"{provider} does not punctuate"


def _timed(ask: Ask, able: Able, leave: Leave, provider: str) -> Ask:
    """Segments can be made of words, words not of segments."""
    words, segments, speakers = ask.words, ask.segments, ask.speakers
    if speakers and not able.speakers:
        leave.without("diarization", f"{provider} does not tell speakers apart")
        speakers = False
    if words and not able.words:
        if words is Wish.REQUIRED:
            leave.without("word_timestamps", f"{provider} does not time words")
        leave.note("word_timestamps")
        words = Wish.NO
    if segments and not (able.segments or able.words):
        if segments is Wish.REQUIRED:
            leave.without("segment_timestamps", f"{provider} times neither words nor segments")
        leave.note("segment_timestamps")
        segments = Wish.NO
    if ask.punctuation is Wish.WELCOME and not able.punctuates:
        leave.note("punctuation")
    return replace(ask, words=words, segments=segments, speakers=speakers)


def _guided(ask: Ask, able: Able, leave: Leave, provider: str) -> Ask:
    """Words to listen for go into a prompt where there is no other place: that is one of the uses of prompts."""
    prompt, terms = ask.prompt, ask.terms
    if prompt and len(prompt) > able.prompt:
        most = f"takes prompts of at most {able.prompt} characters" if able.prompt else "takes no prompt"
        leave.without("prompt", f"{provider} {most}")
        prompt = ""
    if terms and not able.terms:
        folded = " ".join((prompt, ", ".join(terms))).strip()
        if len(folded) > able.prompt:
            leave.without("keyterms", f"{provider} cannot be told what to listen for")
        else:
            prompt = folded
        terms = ()
    elif len(terms) > able.terms:
        leave.without("keyterms", f"{provider} listens for at most {able.terms} words and phrases")
        terms = terms[: able.terms]
    return replace(ask, prompt=prompt, terms=terms)


def _languages(ask: Ask, able: Able, leave: Leave, provider: str) -> tuple[str, ...]:
    """One for a language that is known, several of which one is spoken, none for the provider to find out."""
    wanted = ask.languages
    if able.languages is not None:
        known = tuple(language for language in wanted if languages.short(language) in able.languages)
        if wanted and not known:
            leave.without("language", f"{provider} does not have it")
        elif len(known) < len(wanted):
            leave.note("languages")
        wanted = known
    if len(wanted) > able.candidates:
        if not able.detects:
            leave.without("detect_language", f"{provider} has to be told which language is spoken")
            return wanted[:1]
        leave.note("languages")
        wanted = ()
    if not wanted and not able.detects and not ask.languages:
        leave.without("detect_language", f"{provider} has to be told which language is spoken")
    if wanted and (present := able.language_excludes & _present(ask)):
        leave.without("language", f"{provider} takes none beside {', '.join(sorted(present))}")
        wanted = ()
    return wanted


def _present(ask: Ask) -> frozenset[str]:
    asked = {
        "diarization": ask.speakers,
        "prompt": bool(ask.prompt),
        "segment_timestamps": ask.segments is Wish.REQUIRED,
        "word_timestamps": ask.words is Wish.REQUIRED,
    }
    return frozenset(name for name, wanted in asked.items() if wanted)
