"""Asking a running sidecar, and whatever else may answer in its place."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from sidecar.cli import received
from sidecar.cli.asking import Asking, Refused
from sidecar.errors import AdminUnreachable
from tests.running import running
from tests.wire import Line, answer, answering, peer

T = TypeVar("T")


async def elsewhere(task: Callable[[], T]) -> T:
    """Run *task*, which blocks, beside the loop that answers it."""
    async with asyncio.timeout(20):
        return await asyncio.to_thread(task)


async def test_a_running_sidecar_answers() -> None:
    async with running() as sidecar:
        asking = Asking(sidecar.admin)
        assert b'"version"' in await elsewhere(asking.status)
        assert await elsewhere(lambda: asking.last(5)) == b"[]"


async def test_host_and_port_alone_will_do() -> None:
    async with running() as sidecar:
        assert await elsewhere(Asking(sidecar.admin.removeprefix("http://")).status)


async def test_a_call_that_is_not_there_is_refused_in_its_own_words() -> None:
    async with running() as sidecar:
        with pytest.raises(Refused, match="no call zzz among the last ones"):
            await elsewhere(lambda: Asking(sidecar.admin).call("zzz"))


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://", "ftp://x", "http://127.0.0.1:99999999", "no url"])
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(AdminUnreachable, match="is no address to ask"):
        Asking(url)


def test_nobody_there_says_what_to_do() -> None:
    with pytest.raises(AdminUnreachable, match=r"connection refused; start one with sidecar run, or name where it is"):
        Asking("http://127.0.0.1:1").status()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (answer(b"<html>", "404 Not Found"), r"no sidecar's admin interface \(status 404\)"),
        (answer(b"hello", "200 OK", "Content-Type: text/html"), r"no sidecar's admin interface \(status 200\)"),
        (answer(b"oops", "500 Internal Server Error"), r"failed \(status 500\); its log says why"),
        (
            answer(b'{"error":"for this machine"}', "403 Forbidden", "Content-Type: application/json"),
            "does not tell: for this machine",
        ),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "speaks no HTTP"),
    ],
)
async def test_something_else_that_answers_is_told_from_a_sidecar(said: bytes, told: str) -> None:
    async with peer(answering(said)) as other:
        with pytest.raises(AdminUnreachable, match=told):
            await elsewhere(Asking(f"127.0.0.1:{other.port}").status)


async def test_one_who_hangs_up_is_unreachable() -> None:
    async def hang_up(line: Line) -> None:
        await line.head()

    async with peer(hang_up) as other:
        with pytest.raises(AdminUnreachable, match="no sidecar answers"):
            await elsewhere(Asking(f"127.0.0.1:{other.port}").status)


async def test_a_line_that_was_cut_off_is_no_call() -> None:
    async def cut(line: Line) -> None:
        await line.head()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        await line.send(head + b'1\r\n\n\r\n8\r\n{"id":1\n\r\n5\r\n{"id"\r\n0\r\n\r\n')

    async with peer(cut) as other:
        lines = await elsewhere(lambda: list(Asking(f"127.0.0.1:{other.port}").follow()))
    assert lines == [b"\n", b'{"id":1\n']


def test_a_call_told_in_another_way_is_not_guessed_at() -> None:
    with pytest.raises(AdminUnreachable, match="use the command that came with it"):
        received.call(b'{"id": 3}')
