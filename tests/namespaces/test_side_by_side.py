"""Two pods on one machine, each with a sidecar of its own and plugins of its own."""

import asyncio

from tests.namespaces.capture import OURS, calls, captured
from tests.namespaces.conftest import PROVIDER, World, a_world
from tests.namespaces.pod import Ended, Pod, a_pod

URL = f"https://{PROVIDER}/v1/chat/completions"
ASKED = f"{PROVIDER} POST /v1/chat/completions"


async def asking(pod: Pod) -> list[str]:
    """Who answered the same call, asked twice, as their sidecar says."""

    async def ask() -> Ended:
        body = '{"model":"m","messages":[{"role":"user","content":"hello"}]}'
        return await pod.curl(URL, "-H", "Content-Type: application/json", "-d", body)

    answers = [await ask(), await ask()]
    assert all("from the world" in each.out and OURS in each.out for each in answers), answers
    fields = [line.partition(": ") for each in answers for line in each.out.splitlines()]
    return [value for name, _, value in fields if name.lower() == "x-sidecar-provider"]


async def test_each_pod_has_the_plugins_that_it_was_given(pod: Pod, world: World) -> None:
    async with (
        a_pod(pod.directory / "second") as second,
        a_world(second) as its_world,
        captured("redirect", pod, world, "plugins=[{use: cache}]"),
        captured("redirect", second, its_world),
    ):
        remembering, forgetful = await asyncio.gather(asking(pod), asking(second))
        assert (remembering, forgetful) == (["openai", "cache"], ["openai", "openai"])
        assert (world.asked, its_world.asked) == ([ASKED], [ASKED, ASKED])
        await calls(pod, answered_by="cache")
        await calls(second, 2, answered_by="openai")
        stranger = await pod.curl(URL, "--cacert", str(second.trust / "bundle.crt"))
        assert stranger.code == 60, "each pod has a CA of its own"
