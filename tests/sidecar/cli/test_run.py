"""`sidecar run` as a process: ready in time, findable, obedient to signals, and clear about why it cannot start."""

import asyncio
import os
import pty
import signal
import socket
import sys
from pathlib import Path

import aiohttp

from sidecar.cli.exits import Exit
from sidecar.lab import Lab
from tests.sidecar.cli.processes import FREE_PORTS, PATIENCE_SECONDS, ended, environment, serving, started

#: Of processor time, since other work on the machine must not fail a test; the benchmark measures by the clock.
READY_CPU_SECONDS = 1.0


def cpu_seconds(process_id: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ignores_hangup(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/status").read_text()
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    return bool(mask & 1 << signal.SIGHUP - 1)


def options(*overrides: str) -> list[str]:
    return [option for override in overrides for option in ("--set", override)]


async def test_it_serves_where_the_ready_line_says(tmp_path: Path) -> None:
    async with Lab("openai") as lab, serving(tmp_path, f"providers.openai.url={lab.url('openai')}") as sidecar:
        assert set(sidecar.ready["addresses"]) == {"proxy", "admin", "probes"}
        assert sidecar.ready["bundle"] == str(tmp_path / "bundle.crt")
        assert len(sidecar.ready["digest"]) == 12
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{sidecar.probes}/readyz") as answer:
                assert answer.status == 200
            chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
            url, headers = f"{sidecar.proxy}/openai/v1/chat/completions", {"Authorization": "Bearer sk-lab"}
            async with session.post(url, json=chat, headers=headers) as answer:
                assert answer.status == 200
        assert await sidecar.stop() == Exit.OK


async def test_it_is_ready_soon(tmp_path: Path) -> None:
    spent = []
    for number in range(2):
        async with serving(tmp_path / str(number)) as sidecar:
            spent.append(cpu_seconds(sidecar.process.pid))
            await sidecar.stop()
    assert min(spent) < READY_CPU_SECONDS


async def test_both_signals_end_it_in_good_order(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        async with serving(tmp_path) as sidecar:
            assert await sidecar.stop(number) == Exit.OK


async def test_a_call_under_way_may_finish(tmp_path: Path) -> None:
    async with Lab("openai") as lab, serving(tmp_path, f"providers.openai.url={lab.url('openai')}") as sidecar:
        lab.provider("openai").fail_next("slow:0.5")
        chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer sk-lab"}) as session:

            async def call() -> int:
                async with session.post(f"{sidecar.proxy}/openai/v1/chat/completions", json=chat) as answer:
                    await answer.read()
                    return answer.status

            task = asyncio.create_task(call())
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not lab.requests:  # the lab has no event for it
                    await asyncio.sleep(0.01)
            sidecar.process.send_signal(signal.SIGTERM)
            assert await task == 200
        assert await sidecar.process.wait() == Exit.OK


async def test_a_hangup_reads_the_file_anew_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("journal: {calls: 10}\n")
    async with serving(tmp_path, env={"SIDECAR_CONFIG": str(file)}) as sidecar:
        before = sidecar.ready["digest"]
        file.write_text("journal: {calls: 20}\n")
        sidecar.process.send_signal(signal.SIGHUP)
        assert before in (await sidecar.logged("took over from"))["message"]
        file.write_text("journal: {calls: many}\n")
        sidecar.process.send_signal(signal.SIGHUP)
        assert "journal.calls" in (await sidecar.logged("is refused"))["message"]
        assert await sidecar.stop() == Exit.OK


async def test_the_log_level_can_be_chosen(tmp_path: Path) -> None:
    async with serving(tmp_path, arguments=("--log-level", "debug")) as sidecar:
        await sidecar.stop()
    quiet = await ended("run", "--log-level", "loud")
    assert quiet.code == Exit.USAGE


async def test_an_invalid_configuration_is_told_whole(tmp_path: Path, greeter: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("listen: {adress: 1}\nplugins:\n  - use: greeter\n  - use: nobody\n")
    done = await ended("run", "-c", str(file), env={"PYTHONPATH": str(greeter)})
    assert done.code == Exit.CONFIGURATION
    assert done.out == ""
    assert done.err.startswith("sidecar: 3 problems in the configuration\n")
    for part in ("listen.adress: is not a setting", 'nothing installed is named "nobody"', "greeting: is missing"):
        assert part in done.err


async def test_a_plugin_that_cannot_be_used_is_told_the_same_way(greeter: Path) -> None:
    overrides = (*FREE_PORTS, "plugins=[{use: greeter, config: {greeting: hi, tone: hot}}]")
    done = await ended("run", *options(*overrides), env={"PYTHONPATH": str(greeter)})
    assert done.code == Exit.CONFIGURATION
    assert "plugins[0].config.tone" in done.err


async def test_a_port_that_is_taken_is_no_fault_of_the_configuration(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        overrides = (f"listen.address=127.0.0.1:{port}", *FREE_PORTS[1:], "plugins=[]", f"tls.directory={tmp_path}")
        done = await ended("run", *options(*overrides))
    assert done.code == Exit.ENVIRONMENT
    assert done.err.splitlines()[-1] == (
        f"sidecar: cannot listen on 127.0.0.1:{port}: address already in use; choose another one with listen.address"
    )


async def test_a_directory_that_cannot_be_used_is_none_either(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = await ended("run", *options(*FREE_PORTS, "plugins=[]", f"tls.directory={tmp_path / 'file' / 'tls'}"))
    assert done.code == Exit.ENVIRONMENT
    assert "tls.directory" in done.err


async def test_a_hangup_while_it_starts_is_survived(tmp_path: Path) -> None:
    arguments = options(*FREE_PORTS, "plugins=[]", f"tls.directory={tmp_path}")
    async with started("run", *arguments) as process, asyncio.timeout(PATIENCE_SECONDS):
        assert process.stderr is not None
        while not ignores_hangup(process.pid):  # a process has no event for it
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGHUP)
        assert b'"ready: ' in await process.stderr.readline()
        process.terminate()
        await process.communicate()
        assert process.returncode == Exit.OK


async def test_on_a_terminal_it_says_how_to_point_an_sdk_here(tmp_path: Path) -> None:
    shown, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sidecar",
        "run",
        *options(*FREE_PORTS, "plugins=[]", f"tls.directory={tmp_path}"),
        env=environment({}),
        stderr=terminal,
    )
    os.close(terminal)
    try:
        text = await asyncio.to_thread(_until, shown, "Ctrl-C ends it")
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await process.wait()
        os.close(shown)
    assert code == Exit.OK
    assert "is ready" in text
    assert "OPENAI_BASE_URL=http://127.0.0.1:" in text
    assert f"SSL_CERT_FILE={tmp_path / 'bundle.crt'}" in text
    assert '{"time"' not in text


def _until(descriptor: int, part: str) -> str:
    """What comes from a terminal until *part* has come."""
    text = ""
    while part not in text:
        text += os.read(descriptor, 4096).decode()
    return text
