"""SDKs that a door cannot take in, each with its reason: what is said of them elsewhere is proven here."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.scenarios.sdk.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Bypass(NamedTuple):
    """A call that goes past HTTPS_PROXY, and the host it goes for by itself."""

    sdk: str
    name: str
    host: str
    reason: str


BYPASSES = [
    Bypass(
        "plain", "yandex_recognize", "stt.api.cloud.yandex.net", "aiohttp heeds its environment with trust_env only"
    ),
    Bypass(
        "plain", "yandex_synthesize", "tts.api.cloud.yandex.net", "aiohttp heeds its environment with trust_env only"
    ),
    Bypass("deepgram", "listen_live_async", "api.deepgram.com", "it uses the legacy client of websockets"),
]


@pytest.mark.parametrize("bypass", [pytest.param(one, id=f"{one.sdk}-{one.name}") for one in BYPASSES])
async def test_a_client_that_ignores_the_proxy_goes_for_its_provider_by_itself(
    here: World, bypass: Bypass, skip_or_fail: Callable[[str], None]
) -> None:
    agent = await here.agent(bypass.sdk, proxied=True)
    if agent.missing:
        skip_or_fail(f"the SDK is not installed: {agent.missing}")
    outcome = await agent.call(bypass.name, None)
    assert outcome.error is not None
    assert outcome.alone == [bypass.host], bypass.reason
    assert here.ledger.untold() == []
    assert here.received_by_any == []


class Forced(NamedTuple):
    """A socket for which the SDK makes wss:// of any URL: nothing without TLS can take it."""

    sdk: str
    name: str
    provider: str


FORCED = [
    Forced("elevenlabs", "convert_realtime", "elevenlabs"),
    Forced("gemini", "live", "gemini"),
    Forced("openai", "azure_realtime", "azure-openai"),
    Forced("cartesia", "tts_socket_by_base_url_alone", "cartesia"),
]


@pytest.mark.parametrize("forced", [pytest.param(one, id=f"{one.sdk}-{one.name}") for one in FORCED])
@pytest.mark.parametrize("door", ["base_url", "port"])
async def test_a_socket_that_insists_on_tls_fails_at_once_on_a_plain_url(
    here: World, forced: Forced, door: str, skip_or_fail: Callable[[str], None]
) -> None:
    agent = await here.agent(forced.sdk, proxied=False)
    if agent.missing:
        skip_or_fail(f"the SDK is not installed: {agent.missing}")
    url = here.sidecar.port(forced.provider) if door == "port" else f"{here.sidecar.proxy}/{forced.provider}"
    outcome = await agent.call(forced.name, url)
    assert outcome.error is not None
    assert here.ledger.untold() == []
    assert here.received_by_any == []
