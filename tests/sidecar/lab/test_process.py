"""The lab as a process of its own."""

import asyncio
import contextlib
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sidecar.lab.__main__ import parse_fault


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, object]]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar.lab", "--print-urls", "json", *arguments), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            yield process, json.loads(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_it_says_where_it_listens_and_serves_until_it_is_told_to_end(tmp_path):
    ca_file = tmp_path / "ca.pem"
    arguments = ("--providers", "openai,deepgram", "--ca-file", str(ca_file), "--fault", "deepgram:503:1")
    async with running(*arguments) as (process, places), aiohttp.ClientSession() as http:
        assert list(places["providers"]) == ["openai", "deepgram"]
        openai = places["providers"]["openai"]
        context = ssl.create_default_context(cafile=places["ca_file"])
        async with http.get(
            openai["tls_url"] + "/v1/models", headers={"Authorization": "Bearer k"}, ssl=context
        ) as answer:
            assert answer.status == 200
        url = places["providers"]["deepgram"]["url"] + "/v1/speak"
        async with http.post(url, json={"text": "x"}, headers={"Authorization": "Token k"}) as answer:
            assert answer.status == 503
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_a_wrong_option_is_explained():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar.lab", "--providers", "openia"), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"no provider is called 'openia'" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [("openai:429:0.05", ("openai", "429", 0.05)), ("*:rate:2:0.5", ("*", "rate:2", 0.5))],
)
def test_faults_are_given_by_provider_and_probability(text, expected):
    provider, fault, probability = parse_fault(text)
    assert (provider, str(fault), probability) == expected


@pytest.mark.parametrize("text", ["openai:429", "nobody:429:0.1", "openai:429:2", "openai:flood:0.1", ""])
def test_other_forms_of_faults_are_refused(text):
    with pytest.raises(ValueError, match=r"PROVIDER|probability|no fault"):
        parse_fault(text)
