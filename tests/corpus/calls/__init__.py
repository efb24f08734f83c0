"""The calls that `tests.corpus.capture` makes, one function each; an SDK is imported only where it is used."""

from tests.corpus.calls import clouds, language_models, openai, openai_family, speech
from tests.corpus.calls.table import CALLS

__all__ = ["CALLS", "clouds", "language_models", "openai", "openai_family", "speech"]
