"""What can be told from the words of a short text without understanding it: which option is meant, yes or no, when."""

import math
import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve"
_STOP_WORDS = """
a an the is are was be to of in on at for and or it its i you he she we they my your me do does did can could would
will shall should this that with as if what which who how user caller customer wants want says said asks ask about
whether has have
"""
_YES_WORDS = "yes yeah yep sure ok okay correct right fine agree absolutely definitely please да конечно хочу"
_NO_WORDS = "no nope not never don't doesn't isn't wrong cancel stop disagree нет не"
_NUMBERS = {word: number for number, word in enumerate(_NUMBER_WORDS.split())}
_STOP = frozenset(_STOP_WORDS.split())
_YES = frozenset(_YES_WORDS.split())
_NO = frozenset(_NO_WORDS.split())
_NEITHER = ("other", "none", "unknown", "unclear", "general", "fallback", "neutral", "no_match", "out_of_scope")
_SYNONYMS = {
    "reservation": "book",
    "reserve": "book",
    "appointment": "book",
    "schedule": "book",
    "bill": "pay",
    "invoice": "pay",
    "payment": "pay",
    "charge": "pay",
    "agent": "human",
    "operator": "human",
    "person": "human",
    "representative": "human",
    "temperature": "weather",
    "forecast": "weather",
    "rain": "weather",
    "hour": "open",
    "close": "open",
    "bye": "goodbye",
    "hello": "greet",
    "hi": "greet",
    "greeting": "greet",
    "great": "positive",
    "love": "positive",
    "thank": "positive",
    "terrible": "negative",
    "angry": "negative",
    "hate": "negative",
    "bad": "negative",
    "голос": "voice",
    "голосом": "voice",
    "погода": "weather",
}

_SLOTS = {
    "date": re.compile(
        r"\b(\d{4}-\d\d-\d\d|today|tonight|tomorrow|(?:next |this |on )?(?:mon|tues|wednes|thurs|fri|satur|sun)day"
        r"|next week|(?:january|february|march|april|may|june|july|august|september|october|november|december)"
        r" \d{1,2})\b",
        re.I,
    ),
    "time": re.compile(
        r"\b(\d{1,2}:\d\d(?:\s*[ap]\.?m)?|\d{1,2}\s*[ap]\.?m|noon|midnight"
        rf"|(?<=at )(?:\d{{1,2}}|{'|'.join(_NUMBERS)}))\b",
        re.I,
    ),
    "email": re.compile(r"\b([\w.+-]+@[\w-]+\.[\w.]+)\b"),
    "phone": re.compile(r"(\+?\d[\d\s().-]{6,}\d)"),
    "city": re.compile(r"\b(?:in|at|near|for|from) ((?-i:[A-Z])[\w-]+(?: (?-i:[A-Z])[\w-]+)?)", re.I),
    "name": re.compile(
        r"\b(?:my name is|name's|i am|i'm|this is|call me) ((?-i:[A-Z])[\w-]+(?: (?-i:[A-Z])[\w-]+)?)", re.I
    ),
}
_SLOT_OF = {
    "day": "date",
    "when": "date",
    "datetime": "date",
    "hour": "time",
    "location": "city",
    "place": "city",
    "mail": "email",
    "telephone": "phone",
    "customer": "name",
}


def stems(text: str) -> list[str]:
    """The words that carry meaning, in a crude common form."""
    found = []
    for word in _WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", text).replace("_", " ").lower()):
        if word in _STOP:
            continue
        stem = word
        for ending in ("ing", "ed", "es", "s"):
            if len(word) - len(ending) >= 3 and word.endswith(ending):
                stem = word.removesuffix(ending)
                break
        found.append(_SYNONYMS.get(word) or _SYNONYMS.get(stem) or stem)
    return found


def likeness(option: str, text: str) -> float:
    """How well *option* (a label, perhaps with its description) fits *text*: the share of words in common, 0 to 1."""
    wanted, present = set(stems(option)), set(stems(text))
    return len(wanted & present) / math.sqrt(len(wanted)) if wanted else 0.0


def probabilities(options: Sequence[str], text: str) -> list[float]:
    """How probably each of *options* is meant by *text*; they add up to 1."""
    scores = [5.0 * likeness(option, text) for option in options]
    if not any(scores):
        scores = [1.5 if option.partition(" ")[0].lower() in _NEITHER else 0.0 for option in options]
    weights = [math.exp(score) for score in scores]
    return [weight / sum(weights) for weight in weights]


def choice(options: Sequence[str], text: str) -> int:
    """Which of *options* is meant by *text*; the first of equals."""
    chances = probabilities(options, text)
    return chances.index(max(chances))


def yes(statement: str, text: str) -> float:
    """How probably *statement* is true of *text*."""
    said = set(_WORD.findall(text.lower()))
    fit = min(likeness(statement, text), 1.0)
    if fit:
        return 0.1 if said & _NO and not set(_WORD.findall(statement.lower())) & _NO else 0.75 + 0.2 * fit
    if said & _NO:
        return 0.05
    return 0.9 if said & _YES else 0.1


def number(text: str) -> float | None:
    """The first number in *text*, in digits or words."""
    for word in re.findall(r"-?\d+(?:\.\d+)?|[a-z]+", text.lower()):
        if word in _NUMBERS:
            return float(_NUMBERS[word])
        if word[-1].isdigit():
            return float(word)
    return None


def slot(name: str, text: str) -> str | None:
    """What *text* says for a field called *name*, if that is a kind of thing that has a form."""
    for stem in re.findall(r"[a-z]+", name.lower()):
        if (pattern := _SLOTS.get(_SLOT_OF.get(stem, stem))) is not None:
            found = pattern.search(text)
            return None if found is None else found.group(1).strip()
    return None


def is_slot(name: str) -> bool:
    return any(_SLOT_OF.get(stem, stem) in _SLOTS for stem in re.findall(r"[a-z]+", name.lower()))
