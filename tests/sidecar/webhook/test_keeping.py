"""The injector's own certificate over its life: made, shared by replicas, renewed, put back, and never in the way."""

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from aiohttp import web

from sidecar.lab.certificates import Authority
from sidecar.webhook.certificate import made
from sidecar.webhook.keeping import LOOK_SECONDS, SETTLE_SECONDS
from tests.sidecar.webhook.cluster import (
    CONFIGURATIONS,
    OBJECTS,
    SECRETS,
    Call,
    Clock,
    Cluster,
    Fault,
    settled,
)
from tests.sidecar.webhook.replicas import NAME, counted, replica
from tests.sidecar.webhook.test_certificate import UNUSABLE, reaches

# -- the first time --------------------------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_the_first_look_makes_one_and_has_it_trusted(api: Cluster) -> None:
    async with replica(api, Clock()) as one:
        assert one.keeper.missing == "it has not been looked for yet"
        assert await one.keeper.look() == LOOK_SECONDS
        assert one.keeper.missing is None, "nobody was trusted before; there is nothing to wait for"
        assert len(set(api.bundles)) == 1
        assert await one.reviews(api.bundle)
    assert sorted(api.data) == ["ca.crt", "tls.crt", "tls.key"]
    assert api.bundle == api.data["ca.crt"]
    assert counted(one.keeper)["certificates_made_total"] == 1


async def test_nothing_else_of_the_objects_changes(api: Cluster) -> None:
    secret, configuration = dict(api.secret), [dict(each) for each in api.configuration["webhooks"]]
    await api.keeper(Clock()).look()
    assert {**api.secret, "data": None, "metadata": None} == {**secret, "data": None, "metadata": None}
    assert api.secret["metadata"]["labels"] == api.configuration["metadata"]["labels"] == {"kept": "as-it-is"}
    for before, after in zip(configuration, api.configuration["webhooks"], strict=True):
        told = {key: value for key, value in after["clientConfig"].items() if key != "caBundle"}
        assert {**after, "clientConfig": told} == before


async def test_a_look_that_finds_all_in_order_writes_nothing(api: Cluster) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    api.calls.clear()
    await keeper.look()
    assert [(call.verb, call.resource) for call in api.calls] == [("get", CONFIGURATIONS), ("get", SECRETS)]


async def test_webhooks_that_call_others_are_left_alone(api: Cluster) -> None:
    theirs = {"name": "theirs", "clientConfig": {"url": "https://elsewhere.example/mutate", "caBundle": "QQ=="}}
    api.touch(api.configuration)["webhooks"].insert(0, theirs)
    await api.keeper(Clock()).look()
    first, *ours = api.bundles
    assert first == b"A"
    assert set(ours) == {api.data["ca.crt"]}


async def test_without_a_webhook_that_calls_us_it_says_so(api: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    api.touch(api.configuration)["webhooks"].clear()
    keeper = api.keeper(Clock())
    await keeper.look()
    assert "calls the service agent-sidecar-system/agent-sidecar-injector" in str(keeper.missing)
    assert "--configuration and --service" in caplog.text
    assert api.data == {}


async def test_one_that_starts_anew_serves_what_is_kept_at_once(api: Cluster) -> None:
    clock = Clock()
    await settled(clock, api.keeper(clock))
    kept = api.data
    clock.pass_by(days=1)
    again = api.keeper(clock)
    await again.look()
    assert again.missing is None
    assert api.data == kept
    assert reaches(again.presented, api.bundle, NAME)


# -- replicas --------------------------------------------------------------------------------------------------------


def together(verb: str, resource: str, number: int) -> tuple[list[Call], Fault]:
    """A fault that holds the first *number* of such calls until all of them are there, and which these were."""
    seen: list[Call] = []
    all_there = asyncio.Event()

    async def hold(_: web.Request, call: Call) -> None:
        if (call.verb, call.resource) == (verb, resource) and len(seen) < number:
            seen.append(call)
            if len(seen) == number:
                all_there.set()
            await all_there.wait()

    return seen, hold


@pytest.mark.both_loops
async def test_of_replicas_that_begin_at_once_all_serve_what_one_has_made(api: Cluster) -> None:
    clock = Clock()
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(api, clock)) for _ in range(3)]
        seen, hold = together("update", SECRETS, 3)
        with api.fault(hold):
            await settled(clock, *(each.keeper for each in replicas))
        assert len(seen) == 3, "all of them tried"
        assert api.statuses["update", SECRETS, 200] == 1
        assert api.statuses["update", SECRETS, 409] == 2
        assert sum(counted(each.keeper)["certificates_made_total"] for each in replicas) == 1
        assert api.bundle.count(b"BEGIN") == 1
        assert [await each.reviews(api.bundle) for each in replicas] == [True] * 3


async def test_of_replicas_that_publish_at_once_nothing_is_lost(api: Cluster) -> None:
    clock = Clock()
    first, second = api.keeper(clock), api.keeper(clock)
    seen, hold = together("patch", CONFIGURATIONS, 2)
    with api.fault(hold):
        await settled(clock, first, second)
    assert len(seen) == 2
    assert api.statuses["patch", CONFIGURATIONS, 422] == 1
    assert api.bundle == api.data["ca.crt"]


@pytest.mark.parametrize("moment", [2, 3], ids=["between what it reads", "before it writes"])
async def test_who_has_missed_a_new_certificate_does_not_put_back_the_trust_before_it(
    api: Cluster, moment: int
) -> None:
    clock = Clock()
    slow, quick = api.keeper(clock, chance=1.0), api.keeper(clock, chance=0.0)
    await settled(clock, slow, quick)
    first = api.data["tls.crt"]
    if moment == 3:
        api.trust(None)  # what the slow one is about to set right by what it has read
    clock.pass_by(days=61)  # the quick one renews after 60 days, the slow one later
    api.calls.clear()

    async def meanwhile(_: web.Request, __: Call) -> None:
        if len(api.calls) == moment:
            await quick.look()

    with api.fault(meanwhile):
        await slow.look()
    assert api.data["tls.crt"] != first
    assert api.bundle == api.data["ca.crt"]
    assert api.bundle.count(b"BEGIN") == 2


async def test_changes_that_never_end_are_a_failure_and_not_a_loop(api: Cluster) -> None:
    async def changing(_: web.Request, call: Call) -> None:
        if call.verb in ("update", "patch"):
            api.touch(api.secret)

    keeper = api.keeper(Clock())
    with api.fault(changing):
        await keeper.look()
    assert "the Secret agent-sidecar-system/agent-sidecar-injector-certificate cannot be changed" in str(keeper.missing)
    assert "409 Conflict, 5 times over" in str(keeper.missing)
    await keeper.look()
    assert keeper.missing is None


async def test_a_secret_that_may_not_be_changed_is_told_of(api: Cluster) -> None:
    api.touch(api.secret)["immutable"] = True
    keeper = api.keeper(Clock())
    await keeper.look()
    assert "see who else changes it, or whether it is immutable" in str(keeper.missing)


# -- renewal ---------------------------------------------------------------------------------------------------------


async def test_clients_never_meet_a_certificate_that_they_do_not_trust_while_it_is_renewed(api: Cluster) -> None:
    clock = Clock()
    async with replica(api, clock, 0.0) as one, replica(api, clock, 1.0) as other:
        await settled(clock, one.keeper, other.keeper)
        first = one.keeper.presented.expires_seconds
        told = [(clock.now, api.bundle)]  # whom API servers were to trust from when on
        clock.pass_by(days=60, minutes=-3)
        due = {one: clock.now, other: clock.now}
        for _ in range(60):
            for each, at in due.items():
                if at <= clock.now:
                    due[each] = clock.now + timedelta(seconds=await each.keeper.look())
            if api.bundle != told[-1][1]:
                told.append((clock.now, api.bundle))
            late = clock.now - timedelta(seconds=SETTLE_SECONDS - 1)
            for trusted in {api.bundle, [bundle for since, bundle in told if since <= late][-1]}:
                for each in due:
                    assert reaches(each.keeper.presented, trusted, NAME), clock.now
                    assert each.keeper.missing is None
            clock.pass_by(seconds=5)
        assert one.keeper.presented.expires_seconds == other.keeper.presented.expires_seconds != first
        assert len(told) == 2
        assert api.bundle.count(b"BEGIN") == 2, "the one before it is trusted until it expires"
        assert [await each.reviews(api.bundle) for each in due] == [True, True]
        assert sum(counted(each.keeper)["certificates_made_total"] for each in due) == 2, "the other took what was made"


async def test_one_that_starts_while_it_is_renewed_is_not_ready_before_api_servers_trust_it(api: Cluster) -> None:
    clock = Clock()
    one, late = api.keeper(clock), api.keeper(clock)
    await settled(clock, one)
    clock.pass_by(days=65)
    assert await one.look() == SETTLE_SECONDS
    assert await late.look() == SETTLE_SECONDS
    assert late.missing == "API servers are still to learn whom to trust"
    clock.pass_by(seconds=SETTLE_SECONDS)
    await late.look()
    assert late.missing is None


async def test_a_renewed_certificate_that_somebody_has_distrusted_meanwhile_waits_again(api: Cluster) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    first, before = keeper.presented.expires_seconds, api.bundle
    clock.pass_by(days=65)
    await keeper.look()
    api.trust(before)
    clock.pass_by(seconds=SETTLE_SECONDS)
    assert await keeper.look() == SETTLE_SECONDS
    assert keeper.presented.expires_seconds == first
    clock.pass_by(seconds=SETTLE_SECONDS)
    await keeper.look()
    assert keeper.presented.expires_seconds != first


async def test_what_has_expired_is_trusted_no_longer(api: Cluster) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    for _ in range(4):
        await settled(clock, keeper)
        clock.pass_by(days=65)
    assert api.bundle.count(b"BEGIN") == 2


# -- what others do ---------------------------------------------------------------------------------------------------


async def test_a_trust_that_somebody_resets_is_put_back_and_told_of_once(
    api: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    trusted = api.bundle
    for reset, bundle in enumerate((None, b"", Authority().pem, trusted + Authority().pem), 1):
        api.trust(bundle)
        caplog.clear()
        await keeper.look()
        await keeper.look()
        assert set(api.bundles) == {trusted}
        assert [each.getMessage() for each in caplog.records] == [
            "somebody has changed whom agent-sidecar-injector trusts (caBundle); it is put back"
        ]
        assert counted(keeper)["trust_restored_total"] == reset
    api.touch(api.configuration)["webhooks"][1]["clientConfig"]["caBundle"] = "not base64"
    await keeper.look()
    assert set(api.bundles) == {trusted}, "one of them is enough"


@pytest.mark.parametrize(("data", "why"), UNUSABLE.values(), ids=list(UNUSABLE))
async def test_a_secret_that_holds_something_else_is_made_anew_and_nobody_notices(
    api: Cluster, data: dict[str, bytes], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(days_ago=0)
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    first, trusted = keeper.presented.expires_seconds, api.bundle
    caplog.clear()
    caplog.set_level(logging.INFO)
    api.keep({**data, "other": b"kept as it is"})
    assert await keeper.look() == SETTLE_SECONDS
    assert keeper.presented.expires_seconds == first
    assert f"has nothing to serve: {why}" in caplog.text
    assert "PRIVATE" not in caplog.text
    assert api.data["other"] == b"kept as it is"
    assert reaches(keeper.presented, trusted, NAME)
    assert reaches(keeper.presented, api.bundle, NAME), "who learns of the new one goes on trusting the old one"
    clock.pass_by(seconds=SETTLE_SECONDS)
    await keeper.look()
    assert keeper.presented.expires_seconds != first
    assert reaches(keeper.presented, api.bundle, NAME)


async def test_one_that_nobody_trusts_any_more_gives_way_at_once(api: Cluster) -> None:
    clock = Clock(days_ago=0)
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    api.keep(made(OBJECTS.names, clock.now).data)
    await keeper.look()
    assert reaches(keeper.presented, api.bundle, NAME)
