"""Calls to write down speech, said in other dialects: a neutral request and a neutral transcript in the middle.

A recording is passed on as it is where the target takes it, and made into WAV or out of it where that is enough: codecs
do not run here. Providers of the same dialect, and those who follow OpenAI, get the agent's own bytes.
"""

from sidecar.translation.transcription.accepted import accepts
from sidecar.translation.transcription.narrowing import FEATURES
from sidecar.translation.transcription.probing import expressible
from sidecar.translation.transcription.translating import translate

__all__ = ["FEATURES", "accepts", "expressible", "translate"]
