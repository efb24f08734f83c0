"""The demonstration from curtain to curtain."""

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import click
import msgspec

from sidecar.cli.asking import Asking
from sidecar.errors import AdminUnreachable
from sidecar.journal import CallTold
from sidecar.lab.collector import Collector, collecting
from sidecar.lab.demo.setting import CannotShow, Serving, configuration, converse, providers, record, sidecar
from sidecar.lab.demo.show import Round, Show

QUESTIONS = (
    "Hello, what are your opening hours?",
    "I would like to book a table for four on Friday at seven.",
    "Thank you, that is all. Goodbye.",
)
_TOLD_SECONDS = 5.0
_WAIT = re.compile(r"hears the answer ([\d.]+) s")


@click.command()
@click.option("--engines", type=click.Choice(["real", "echo"]), default="real", help="echo needs no extra packages.")
@click.option("--latency", default="realistic", help="How far away the providers are: none, realistic, realistic:2.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to leave the spoken answers.")
@click.option("--no-color", is_flag=True)
def main(engines: str, latency: str, out: Path | None, no_color: bool) -> None:
    """A voice agent calls three providers through the sidecar, twice."""
    out = out or Path(tempfile.mkdtemp(prefix="sidecar-demo-"))
    out.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(_performed(Show(no_color), engines, latency, out))
    except CannotShow as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _performed(show: Show, engines: str, latency: str, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="sidecar-demo-") as temporary:
        directory = Path(temporary)
        show.part("Starting emulated providers, with real speech engines behind them")
        async with providers(engines, latency, show.progress) as places, collecting() as collector:
            show.progress("speaking the caller's questions")
            recordings = [directory / f"question-{number}.wav" for number in range(1, len(QUESTIONS) + 1)]
            for question, recording in zip(QUESTIONS, recordings, strict=True):
                await record(question, recording, places["openai"])
            show.part("Starting the sidecar")
            file = directory / "sidecar.yaml"  # JSON is YAML, too
            file.write_bytes(msgspec.json.encode(configuration(places, collector.url, directory)))
            async with sidecar(file) as serving:
                show.text(
                    f"The agent is deepgram-sdk, openai and elevenlabs, unmodified. All it is given is "
                    f"HTTPS_PROXY={serving.proxy} and SSL_CERT_FILE={serving.bundle.name}."
                )
                rounds = [await _round(show, number, serving, out, recordings) for number in (1, 2)]
                show.part("What the second round gained")
                show.compare(rounds)
                show.part("Every call became a trace")
                await _traces(show, collector, rounds)
        show.part("That was it")
        show.text(f"The spoken answers are in {out}.")
        show.text(
            "Now your own agent: start `.venv/bin/sidecar run`, then set "
            "OPENAI_BASE_URL=http://127.0.0.1:15080/openai/v1 for one SDK, or HTTPS_PROXY=http://127.0.0.1:15080 for "
            "all of them. `.venv/bin/sidecar tail` shows its calls, `.venv/bin/sidecar explain last` all that is known "
            "of one."
        )


async def _round(show: Show, number: int, serving: Serving, out: Path, recordings: list[Path]) -> Round:
    """The whole conversation."""
    show.part(f"Round {number}")
    calls: list[CallTold] = []
    waits: list[float] = []
    async with _following(serving.admin) as told:
        async for said in converse(serving, out, recordings):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TOLD_SECONDS):
                    calls.append(await told.get())
                show.call(calls[-1])
            show.agent(said)
            if (wait := _WAIT.search(said)) is not None:
                waits.append(float(wait[1]))
    return Round(calls, waits)


@contextlib.asynccontextmanager
async def _following(admin: str) -> AsyncIterator["asyncio.Queue[CallTold]"]:
    """The calls that end from now on."""
    loop = asyncio.get_running_loop()
    ready, told = asyncio.Event(), asyncio.Queue[CallTold]()
    ended = False

    def follow() -> None:
        with contextlib.suppress(AdminUnreachable):
            for raw in Asking(admin).follow():
                if ended:
                    return
                if raw.strip():
                    loop.call_soon_threadsafe(told.put_nowait, msgspec.json.decode(raw, type=CallTold))
                else:
                    loop.call_soon_threadsafe(ready.set)

    following = loop.run_in_executor(None, follow)
    async with asyncio.timeout(_TOLD_SECONDS):
        await ready.wait()
    try:
        yield told
    finally:
        ended = True
        del following


async def _traces(show: Show, collector: Collector, rounds: list[Round]) -> None:
    """How many there are, and one of each round."""
    wanted = {call.trace_id for played in rounds for call in played.calls}
    with contextlib.suppress(TimeoutError):
        while not wanted <= {span.trace_id for span in collector.spans}:
            await collector.wait_for(len(collector.spans) + 1, _TOLD_SECONDS)
    traces = {span.trace_id for span in collector.spans} & wanted
    show.text(f"{len(collector.spans)} spans in {len(traces)} traces arrived at a collector by OTLP. Two of them:")
    for played in rounds:
        spoken = next((call for call in played.calls if call.operation == "tts"), None)
        if spoken is not None:
            show.text("")
            show.trace([span for span in collector.spans if span.trace_id == spoken.trace_id])


if __name__ == "__main__":
    main()
