"""Plugins on their worst day. At start the sidecar refuses them, all at once; in flight it serves without them.

Each misbehaviour is a plugin of the distribution in `tests.faulty.bad_day`, which is really installed here.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.errors import ConfigurationError
from tests.faulty.installing import bad_day_installed, distribution
from tests.running import running
from tests.sidecar.intercept.stage import BOTH_DOORS, BrokenAnswer, Received, Stage, get, post, stage, until
from tests.wire import Line, answer, answering

CHAT = "/lab/v1/chat/completions"
RINGS = pytest.mark.parametrize("ring", ["exchange", "attempt"])


@pytest.fixture(autouse=True)
def bad_day(tmp_path: Path) -> Iterator[None]:
    with bad_day_installed(tmp_path):
        yield


# -- at start --------------------------------------------------------------------------------------------------------


async def refusal(tmp_path: Path, *uses: str) -> list[str]:
    """What the sidecar says to a configuration that names *uses*, by problem."""
    file = tmp_path / "sidecar.yaml"
    file.write_text("catalogue: false\nplugins:\n" + "".join(f"- use: {use}\n" for use in uses))
    with pytest.raises(ConfigurationError) as refused:
        async with running(file=file):
            raise AssertionError("it serves")
    return str(refused.value).splitlines()


AT_START = {
    "no-such-thing": 'nothing installed is named "no-such-thing"',
    "raises-befor": 'did you mean "raises-before"?',
    "function": "where a class is expected",
    "plain": "Plain.Config must be a subclass of sidecar.PluginConfig",
    "config-of-another-kind": "ConfigOfAnotherKind.Config must be a subclass of sidecar.PluginConfig",
    "no-hook": "NoHook has no hook; hooks are: lifespan, around_exchange",
    "sync-layer": "SyncLayer.around_exchange must be async",
    "async-observer": "AsyncObserver.exchange_closed must not be async",
    "async-lifespan": "AsyncLifespan.lifespan must not be async",
    "other-arguments": "takes (self, request, handler), where (self, exchange, call_next) is due",
    "fewer-arguments": "FewerArguments.exchange_closed takes (self), where (self, record) is due",
    "swapped-arguments": "takes (self, call_next, attempt), where (self, attempt, call_next) is due",
    "unmarked": "Unmarked.around_exchange lacks @hookimpl",
    "misspelt": "Misspelt.arround_exchange is no hook; did you mean around_exchange?",
    "try-first": "TryFirst.around_exchange asks for a place of its own",
    "wrapper": "Wrapper.samples asks for a place of its own",
    "demanding": "most",
    "raises-when-made": "cannot be made: RuntimeError: no licence",
    "takes-no-config": "cannot be made: TypeError",
    "raises-on-entry": "cannot start: ConnectionError: no redis",
    "no-context-manager": "cannot start: TypeError",
    "forgotten-decorator": "cannot start: TypeError",
}


@pytest.mark.parametrize("use", AT_START)
async def test_a_plugin_that_cannot_serve_stops_the_start_and_says_why(tmp_path: Path, use: str) -> None:
    said = "\n".join(await refusal(tmp_path, use))
    assert AT_START[use] in said
    assert "sidecar.yaml:3:" in said, "and where it is named"
    assert "Traceback" not in said


async def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    wrong = [use for use in AT_START if "cannot start" not in AT_START[use]]
    said = "\n".join(await refusal(tmp_path, *wrong))
    for line, use in enumerate(wrong, start=3):
        assert AT_START[use] in said
        assert f"sidecar.yaml:{line}:" in said


async def test_a_module_that_cannot_be_imported_is_named_with_the_reason(tmp_path: Path) -> None:
    modules = {
        "bad_import": "import no_such_module\n",
        "bad_syntax": "def (:\n",
        "bad_value": "raise ValueError('not today')\n",
        "bad_attribute": "",
    }
    entry_points = {name.replace("_", "-"): f"{name}:Plugin" for name in modules}
    with distribution(tmp_path, "not-importable", entry_points, modules):
        said = "\n".join(await refusal(tmp_path, *entry_points))
    assert '"bad-import" (bad_import:Plugin) cannot be imported: ModuleNotFoundError' in said
    assert "cannot be imported: SyntaxError" in said
    assert "cannot be imported: ValueError: not today" in said
    assert "cannot be imported: AttributeError" in said


async def test_two_distributions_that_offer_one_name_are_both_named(tmp_path: Path) -> None:
    with distribution(tmp_path, "other-day", {"raises-before": "other_day:Plugin"}):
        said = "\n".join(await refusal(tmp_path, "raises-before"))
    assert 'two distributions offer "raises-before"' in said
    assert "bad-day (bad_day.in_flight:RaisesBefore)" in said
    assert "other-day (other_day:Plugin)" in said


async def test_an_invalid_setting_of_a_plugin_is_shown_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(
        "plugins:\n- use: demanding\n  config:\n    most: lots\n    raito: 1\n"
        "- use: raises-before\n  config: {ring: outer}\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        async with running(file=file):
            raise AssertionError("it serves")
    said = str(refused.value)
    for place in ("sidecar.yaml:4:", "sidecar.yaml:5:", "sidecar.yaml:7:"):
        assert place in said
    assert "ratio" in said, "the nearest name"


async def test_what_is_not_named_is_not_imported(tmp_path: Path) -> None:
    modules = {"never_named": "raise SystemExit('imported all the same')\n"}
    with distribution(tmp_path, "never-named", {"never-named": "never_named:Plugin"}, modules):
        async with stage(answering(answer()), plugins="[{use: raises-before}]") as between:
            assert (await (await between.agent()).ask(get())).status == 200


async def test_plugins_that_had_started_are_stopped_when_a_later_one_cannot(tmp_path: Path) -> None:
    said = await refusal(tmp_path, "lives", "raises-on-entry")
    from bad_day.at_start import LIVED  # type: ignore[import-not-found]

    assert any("cannot start" in line for line in said)
    assert LIVED == ["lives starts", "lives stops"]


async def test_a_plugin_that_fails_to_stop_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    plugins = "[{use: lives}, {use: raises-on-exit}, {use: lives, name: inner}]"
    async with stage(answering(answer()), plugins=plugins) as between:
        assert (await (await between.agent()).ask(get())).status == 200
    from bad_day.at_start import LIVED

    assert LIVED == ["lives starts", "inner starts", "inner stops", "lives stops"]
    assert any("failed to stop" in record.getMessage() for record in caplog.records)


# -- in flight -------------------------------------------------------------------------------------------------------


def only(use: str, ring: str, **more: str) -> str:
    fields = "".join(f", {key}: {value}" for key, value in more.items())
    return f"[{{use: {use}, config: {{ring: {ring}}}, budget: 100ms{fields}}}]"


SERVED_WITHOUT = {
    "raises-before": "raised RuntimeError: before",
    "raises-after": "raised RuntimeError: after",
    "never-returns": "took longer than its 0.1 s",
    "never-returns-the-answer": "took longer than its 0.1 s",
    "swallows-cancellation": "took longer than its 0.1 s",
    "blocks": "at a stretch",
    "returns-nothing": "returned NoneType where a Response is due",
    "returns-text": "returned str where a Response is due",
    "returns-bare-bytes": "returned a Response whose body is no Body",
}


@RINGS
@pytest.mark.parametrize("use", SERVED_WITHOUT)
async def test_a_call_is_served_without_a_plugin_that_fails(use: str, ring: str) -> None:
    received = Received(answer(b"from the provider"))
    async with stage(received, plugins=only(use, ring)) as between:
        agent = await between.agent()
        for number in (1, 2):
            got = await agent.ask(post(b"{}", path=CHAT))
            assert (got.status, got.body) == (200, b"from the provider")
            call = (await between.calls(number))[-1]
            (fault,) = call.faults
            assert (fault.plugin, fault.hook) == (use, f"around_{ring}")
            assert SERVED_WITHOUT[use] in fault.reason
            assert fault.action == ("ignored" if use == "blocks" else "bypassed")
            assert call.outcome == "completed"
        assert len(received.requests) == 2, "the provider was asked once per call"
        assert f'sidecar_plugin_faults_total{{plugin="{use}"}} 2' in await between.metrics()


@RINGS
@pytest.mark.parametrize("use", [use for use in SERVED_WITHOUT if use != "blocks"])
async def test_a_call_ends_with_502_if_the_plugin_must_not_be_skipped(use: str, ring: str) -> None:
    async with stage(answering(answer()), plugins=only(use, ring, on_fault="fail")) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"{}", path=CHAT))
        assert got.status == 502
        assert use.encode() in got.body
        assert (await agent.ask(post(b"{}", path=CHAT))).status == 502, "on the same connection"
        call = (await between.calls(2))[0]
        assert (call.outcome, call.faults[0].action) == ("failed", "failed")


async def stream_of_two(line: Line) -> None:
    while True:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await asyncio.sleep(0.02)
        await line.send(b"6\r\nsecond\r\n0\r\n\r\n")


@RINGS
async def test_one_that_fails_while_it_reads_a_stream_ends_the_call(ring: str) -> None:
    """What it has read is gone: the rest alone would be a false answer."""
    async with stage(stream_of_two, plugins=only("raises-while-reading", ring)) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"{}", path=CHAT))).status == 502
        (call,) = await between.calls(1)
        assert (call.outcome, call.faults[0].action) == ("failed", "failed")


@RINGS
async def test_one_that_closes_the_answer_and_fails_never_gives_a_whole_one(ring: str) -> None:
    async with stage(stream_of_two, plugins=only("closes-the-body-and-raises", ring)) as between:
        agent = await between.agent()
        try:
            assert (await agent.ask(post(b"{}", path=CHAT))).status == 502
        except BrokenAnswer:
            pass  # the agent sees that it is not whole
        assert (await between.calls(1))[0].outcome == "failed"


@RINGS
async def test_one_that_calls_on_twice_leaves_no_answer_open(ring: str) -> None:
    asked, ended = 0, 0

    async def script(line: Line) -> None:
        nonlocal asked, ended
        await line.request()
        asked += 1
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%03d\r\n" % asked)
        if asked == 2:
            await line.send(b"0\r\n\r\n")
        await line.gone()
        ended += 1

    async with stage(script, plugins=only("calls-on-twice", ring)) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"{}", path=CHAT))
        assert got.body == b"002"
        await until(lambda: ended >= 1)  # the first answer's connection
        (call,) = await between.calls(1)
        assert (call.outcome, call.faults) == ("completed", ())


@RINGS
async def test_one_that_keeps_the_provider_s_answer_cannot_keep_its_connection(ring: str) -> None:
    ended = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await line.gone()
        ended.set()

    async with stage(script, plugins=only("keeps-the-body", ring)) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"{}", path=CHAT))).body == b"mine"
        await asyncio.wait_for(ended.wait(), 5)


@RINGS
@pytest.mark.parametrize(
    "use", ["body-raises", "body-loses-a-connection", "body-of-text", "body-shorter-than-its-length"]
)
async def test_a_body_that_goes_wrong_in_a_plugins_hands_is_never_whole(use: str, ring: str) -> None:
    ended = 0

    async def script(line: Line) -> None:
        nonlocal ended
        try:
            await line.request()
            await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst")
            await asyncio.sleep(0.02)
            await line.send(b"x" * 999_995)
            await line.gone()
        finally:
            ended += 1

    async with stage(script, plugins=only(use, ring)) as between:
        agent = await between.agent()
        with pytest.raises(BrokenAnswer):
            await agent.ask(post(b"{}", path=CHAT))
        if use != "body-shorter-than-its-length":  # there the provider has given all
            await until(lambda: ended == 1)
        (call,) = await between.calls(1)
        assert call.outcome != "completed"


@BOTH_DOORS
@RINGS
async def test_a_body_that_loses_a_connection_of_its_own_is_a_failure_not_an_agent_that_left(
    ring: str, server: str
) -> None:
    async with stage(stream_of_two, server=server, plugins=only("body-loses-a-connection", ring)) as between:
        agent = await between.agent()
        with pytest.raises(BrokenAnswer):
            await agent.ask(post(b"{}", path=CHAT))
        (call,) = await between.calls(1)
        assert call.outcome == "failed"


@RINGS
async def test_an_answer_that_cannot_be_written_is_a_502(ring: str) -> None:
    """The agent must never wait for an answer that nobody will write."""
    async with stage(answering(answer()), plugins=only("returns-headers-of-text", ring)) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"{}", path=CHAT))
        assert got.status == 502
        assert await agent.rest() == b""
        (call,) = await between.calls(1)
        assert call.outcome == "failed"


@RINGS
@pytest.mark.parametrize("use", ["body-closes-badly", "body-closes-slowly"])
async def test_a_body_that_does_not_close_well_leaves_no_call_under_way(use: str, ring: str) -> None:
    async with stage(stream_of_two, plugins=only(use, ring)) as between:
        agent = await between.agent()
        await agent.send(post(b"{}", path=CHAT))
        await agent.head()
        assert await agent.chunk() == b"first"
        agent.leave()
        if use == "body-closes-badly":  # the other one is cut off by the end of the stage, which looks at it
            await until(lambda: between.sidecar.application.metrics.in_flight == 0)


async def test_one_that_fails_again_and_again_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async with stage(
        answering(answer()), plugins="[{use: raises-before, quarantine: {after: 3, for: 60s}}]"
    ) as between:
        agent = await between.agent()
        with caplog.at_level(logging.WARNING):
            for _ in range(10):
                assert (await agent.ask(post(b"{}", path=CHAT))).status == 200
        faults = [len(call.faults) for call in await between.calls(10)]
        assert faults == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
        text = await between.metrics()
        assert 'sidecar_plugin_quarantined{plugin="raises-before"} 1' in text
        (told,) = between.sidecar.application.status()["plugins"]
        assert (told["faults"], told["quarantined"]) == (3, True)
        assert len([record for record in caplog.records if "in a row" in record.getMessage()]) == 1


async def test_good_plugins_stand_while_a_bad_one_is_passed_by() -> None:
    plugins = (
        "[{use: keeps-the-body, name: outer, operations: [tts]}, {use: raises-before},"
        " {use: never-returns, budget: 50ms}]"
    )
    async with stage(answering(answer()), plugins=plugins) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"{}", path=CHAT))).body == b"ok"
        (call,) = await between.calls(1)
        assert [fault.plugin for fault in call.faults] == ["raises-before", "never-returns"]


# -- observers -------------------------------------------------------------------------------------------------------


async def test_an_observer_that_raises_harms_nobody() -> None:
    async with stage(
        answering(answer()), plugins="[{use: closed-raises}, {use: closed-raises, name: other}]"
    ) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"{}", path=CHAT))).status == 200
        (call,) = await between.calls(1)
        assert [(fault.plugin, fault.hook, fault.action) for fault in call.faults] == [
            ("closed-raises", "exchange_closed", "ignored"),
            ("other", "exchange_closed", "ignored"),
        ]
        assert call.outcome == "completed"


async def scraped(between: Stage) -> str:
    probes = await between.agent(int(between.sidecar.probes.rpartition(":")[2]))
    got = await probes.ask(get(path="/metrics"))
    assert got.status == 200
    return got.body.decode()


@pytest.mark.parametrize("use", ["samples-raise", "samples-of-nonsense", "samples-are-none"])
async def test_metrics_are_shown_whatever_a_plugin_makes_of_its_own(use: str) -> None:
    async with stage(answering(answer()), plugins=f"[{{use: {use}}}]") as between:
        await (await between.agent()).ask(get())
        await between.calls(1)
        text = await scraped(between)
        assert "sidecar_requests_total{" in text
        assert "sidecar_build_info" in text
        for line in text.splitlines():
            assert line.startswith(("# HELP sidecar_", "# TYPE sidecar_", "sidecar_")), line
            assert line.startswith("#") or float(line.rpartition(" ")[2]) is not None
        assert f'sidecar_plugin_faults_total{{plugin="{use}"}} 1' in await scraped(between)
        if use == "samples-of-nonsense":
            assert {
                f'sidecar_not_a_number{{plugin="{use}"}} NaN',
                f'sidecar_infinite{{plugin="{use}"}} +Inf',
                f'sidecar_lines{{plugin="{use}"}} 1',
            } <= set(text.splitlines())
        if use == "samples-raise":
            assert f'sidecar_fine{{plugin="{use}"}} 1' in text
