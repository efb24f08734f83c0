"""Engines by name: ``echo`` needs nothing, ``real`` the extra `lab`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sidecar.lab.engines.contract import Engines, Progress, ProgressCallback


def unheeded(progress: Progress) -> None:
    """For whoever does not want to know."""


@asynccontextmanager
async def started(kind: str, progress: ProgressCallback = unheeded) -> AsyncIterator[Engines]:
    """The engines called *kind*, loaded and warm.

    Raises:
        ValueError: there are none of that name.
        EngineMissing: what they need is not installed.
    """
    from sidecar.lab.engines.chat import RuleChat

    if kind == "echo":
        from sidecar.lab.engines.echo import EchoRecognizer, EchoSynthesizer

        yield Engines(EchoSynthesizer(), EchoRecognizer(), RuleChat())
        return
    if kind != "real":
        raise ValueError(f"no engines are called {kind!r}; there are echo and real")
    from sidecar.lab.engines.piper import PiperSynthesizer
    from sidecar.lab.engines.whisper import WhisperRecognizer

    synthesizer = await PiperSynthesizer.start(progress)
    try:
        recognizer = await WhisperRecognizer.load(progress)
        try:
            yield Engines(synthesizer, recognizer, RuleChat())
        finally:
            recognizer.close()
    finally:
        await synthesizer.close()
