"""The demonstration runs from curtain to curtain, as `make demo` does but with echo engines and no latency."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

SDKS = ("deepgram", "openai", "elevenlabs")


async def test_an_agent_talks_twice_and_is_answered_from_memory_the_second_time(
    tmp_path: Path, skip_or_fail: Callable[[str], None]
) -> None:
    if missing := [name for name in SDKS if importlib.util.find_spec(name) is None]:
        skip_or_fail(f"SDKs of the demonstration's agent are not installed: {', '.join(missing)}")
    arguments = ("--engines", "echo", "--latency", "none", "--no-color", "--out", str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar.lab.demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            said, failed = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    shown = said.decode()
    assert process.returncode == 0, failed.decode()
    before, _, second = shown.partition("Round 2")
    first = before.partition("Round 1")[2]
    assert first.count("cache: miss") == 9
    assert second.count("cache: hit") >= 9
    assert "“Hello, what are your opening hours?”" in first
    assert "9 of 9" in second
    assert "in 18 traces arrived at a collector by OTLP" in second
    sizes = [(tmp_path / f"answer-{number}.mp3").stat().st_size for number in (1, 2, 3)]
    assert min(sizes) > 1000
