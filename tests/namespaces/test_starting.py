"""What runs before the agent: containers of the user's own that come before the sidecar, and after it."""

from tests.namespaces.capture import MODES, OURS, captured, led, named
from tests.namespaces.conftest import PROVIDER, World
from tests.namespaces.pod import Pod

URL = f"https://{PROVIDER}/v1/models"
INIT_UID = 3000


async def test_with_rules_what_runs_before_them_goes_straight_and_all_after_them_through(
    pod: Pod, world: World
) -> None:
    async with named(pod, world):
        straight = ("--cacert", str(world.file))
        earlier = await pod.curl(URL, *straight, uid=INIT_UID)
        assert earlier.out.startswith("HTTP/1.1 200"), earlier
        assert OURS not in earlier.out
        async with pod.sidecar(*MODES["redirect"], world.trusting):
            between = await pod.curl(URL, *straight, uid=INIT_UID)
            assert OURS not in between.out, "there is no moment with rules and nobody behind them"
            assert "from the world" in between.out
            await led("redirect", pod)
            for user in (INIT_UID, 0, 2000):
                through = await pod.curl(URL, uid=user)
                assert through.out.startswith("HTTP/1.1 200"), through
                assert OURS in through.out
            assert (await pod.curl(URL, *straight)).code == 60, "who trusts the world alone does not get past"


async def test_by_the_hosts_file_what_runs_before_the_sidecar_is_refused_at_once(pod: Pod, world: World) -> None:
    async with named(pod, world):
        await led("hosts", pod)
        assert (await pod.curl(URL, uid=INIT_UID)).code == 7
    async with captured("hosts", pod, world):
        for user in (INIT_UID, 2000):
            assert OURS in (await pod.curl(URL, uid=user)).out
