"""The admin interface passes questions on to plugins, and whatever they say back."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sidecar import Question, Told
from sidecar.admin import admin_application
from sidecar.journal import Journal


class Administered:
    def __init__(self) -> None:
        self.journal = Journal()
        self.asked: list[tuple[str, Question]] = []

    def checks(self) -> Mapping[str, bool]:
        return {}

    def account(self) -> None:
        pass

    def metrics_text(self) -> str:
        return ""

    def status(self) -> dict[str, Any]:
        return {}

    async def console(self, plugin: str, question: Question) -> Told | None:
        self.asked.append((plugin, question))
        if plugin == "broken":
            raise RuntimeError("it slipped")
        return {
            "cache": Told(value=[1]),
            "refusing": Told(value={"error": "no"}, status=409),
            "raw": Told(value=b"x"),
        }.get(plugin)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("cache/entries/ab?last=3", 200, b"[1]"),
        ("raw/", 200, b"x"),
        ("refusing/it", 409, b'{"error":"no"}'),
        ("nobody/it", 404, b'{"error":"no plugin nobody is in service, or it has nothing to say"}'),
        ("broken/it", 500, b'{"error":"plugin broken failed: RuntimeError: it slipped"}'),
    ],
)
async def test_a_question_reaches_the_plugin_and_what_it_says_comes_back(path: str, status: int, body: bytes) -> None:
    administered = Administered()
    async with TestClient(TestServer(admin_application(administered))) as client:
        answer = await client.post(f"/plugins/{path}", data=b"content")
        assert (answer.status, await answer.read()) == (status, body)
        refused = await client.get(f"/plugins/{path}", headers={"Origin": "https://evil.example"})
        assert refused.status == 403, "no web page may ask"
    ((plugin, question),) = administered.asked
    assert f"{plugin}/{question.path}" == path.partition("?")[0]
    assert (question.method, question.body) == ("POST", b"content")
    assert dict(question.query) == ({"last": "3"} if "?" in path else {})
