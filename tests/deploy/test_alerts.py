"""The alerts: they fire when they should, by numbers that there are, and say what to do."""

import ast
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import aiohttp
import pytest
import yaml

from sidecar.addresses import Address
from sidecar.inject import InjectSettings
from sidecar.webhook.keeping import Keeper
from sidecar.webhook.kubernetes import Api
from sidecar.webhook.objects import Objects
from sidecar.webhook.serving import Webhook
from tests.deploy.rendering import K8S, Table
from tests.running import running

RULES = K8S / "components/prometheusrule/prometheusrule.yaml"
CASES = Path(__file__).with_name("alerts.yaml")
SOURCES = Path(__file__).parents[2] / "sidecar"
#: What Prometheus adds to every number of a pod.
OF_THE_TARGET = {"job", "namespace", "pod"}

Skip = Callable[[str], None]


@cache
def groups() -> list[Table]:
    found: list[Table] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["spec"]["groups"]
    return found


def rules(kind: str) -> list[Table]:
    return [rule for group in groups() for rule in group["rules"] if kind in rule]


def cases() -> list[Table]:
    return list(yaml.safe_load_all(CASES.read_text(encoding="utf-8")))


def promtool(*arguments: str | Path, skip_or_fail: Skip) -> str:
    program = shutil.which("promtool")
    if program is None:
        skip_or_fail("there is no promtool; Debian has it in the package prometheus")
        raise AssertionError
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The rules as Prometheus itself reads them."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups()}), encoding="utf-8")
    return file


def test_prometheus_takes_the_rules(plain: Path, skip_or_fail: Skip) -> None:
    promtool("check", "rules", plain, skip_or_fail=skip_or_fail)


def test_alerts_fire_at_what_they_are_for_and_at_nothing_else(plain: Path, skip_or_fail: Skip) -> None:
    # promtool compares annotations as well, and what they say is not what is tested here
    same = {"said": "yes"}
    told = [
        {**group, "rules": [{**rule, **({"annotations": same} if "alert" in rule else {})} for rule in group["rules"]]}
        for group in groups()
    ]
    plain.write_text(yaml.safe_dump({"groups": told}), encoding="utf-8")
    files = []
    for number, document in enumerate(cases()):
        for case in document["tests"]:
            for expected in case["alert_rule_test"]:
                expected["exp_alerts"] = [{**alert, "exp_annotations": same} for alert in expected["exp_alerts"]]
        files.append(plain.with_name(f"cases-{number}.yaml"))
        files[-1].write_text(yaml.safe_dump({"rule_files": [plain.name], **document}), encoding="utf-8")
    promtool("test", "rules", *files, skip_or_fail=skip_or_fail)


def test_every_alert_is_seen_to_fire_and_seen_to_be_silent() -> None:
    fired: set[str] = set()
    silent: set[str] = set()
    for document in cases():
        for expected in (each for case in document["tests"] for each in case["alert_rule_test"]):
            (fired if expected["exp_alerts"] else silent).add(expected["alertname"])
    assert fired == silent == {rule["alert"] for rule in rules("alert")}


def test_every_alert_says_what_is_seen_why_and_what_to_do() -> None:
    for rule in rules("alert"):
        assert rule["annotations"].keys() == {"summary", "symptom", "cause", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", rule["expr"])))) or OF_THE_TARGET
        for text in rule["annotations"].values():
            assert not text.endswith(".")
            asked = set(re.findall(r"\$labels\.(\w+)", text))
            assert asked <= kept, f"{rule['alert']}: {asked - kept} is summed away"


# -- by numbers that there are ---------------------------------------------------------------------------------------


def used(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The numbers in an expression, each with the labels that it is chosen by."""
    for name, chosen in re.findall(r"\b(sidecar_\w+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*[=!]~?", chosen))


def on_page(page: str) -> dict[str, set[str]]:
    """The labels of each number that there is on a page for Prometheus."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(sidecar_\w+)(?:\{(.*)\})? ", page, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    return found


def counted_at_need() -> dict[str, set[str]]:
    """What comes to be with the first event: ``metrics.count("name", label=…)`` in the sources."""
    found = {}
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if ".count(" in text else ():
            match node:
                case ast.Call(func=ast.Attribute(attr="count"), args=[ast.Constant(str(name))], keywords=[_, *_] as of):
                    found[f"sidecar_{name}_total"] = {str(each.arg) for each in of}
    return found


@asynccontextmanager
async def nobody() -> AsyncIterator[Api]:
    raise AssertionError("nothing is asked of the Kubernetes API here")
    yield


async def page(http: aiohttp.ClientSession, base: str) -> dict[str, set[str]]:
    async with http.get(f"{base}/metrics") as answer:
        return on_page(await answer.text())


async def exposed() -> dict[str, set[str]]:
    """Everything that a sidecar and an injector tell Prometheus."""
    keeper = Keeper(Objects("namespace", "service", "secret", "configuration"), nobody)
    keeper.presented.expires_seconds = 0.0
    webhook = Webhook(InjectSettings(), keeper)
    plugins = "[{use: tracing}, {use: cache}]"
    async with (
        running("providers.openai.url=http://127.0.0.1:1", plugins=plugins) as sidecar,
        aiohttp.ClientSession() as http,
    ):
        async with http.post(f"{sidecar.proxy}/openai/v1/chat/completions", json={"model": "m"}) as answer:
            assert answer.status == 502
        sidecar.application.account()
        try:
            await webhook.start(Address("127.0.0.1:0"), Address("127.0.0.1:0"))
            of_injector = await page(http, f"http://{webhook.addresses['webhook probes']}")
        finally:
            await webhook.stop()
        return await page(http, sidecar.probes) | of_injector | counted_at_need()


async def test_alerts_go_by_numbers_and_labels_that_there_are() -> None:
    there = {**await exposed(), "up": set()}
    assert {"sidecar_requests_total", "sidecar_distrusted_total", "sidecar_webhook_reviews_total"} <= there.keys()
    names = set()
    for rule in (*rules("alert"), *rules("record")):
        labels = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
        of_its_numbers = set(OF_THE_TARGET)
        for name, chosen in used(rule["expr"]):
            names.add(name)
            assert name in there, f"{rule['expr']}: there is no {name}"
            of_its_numbers |= there[name]
            assert chosen <= there[name] | OF_THE_TARGET, f"{name} has no label {chosen - there[name]}"
        assert labels <= of_its_numbers, f"{rule['expr']}: {labels - of_its_numbers}"
    assert "up" in names


def test_rules_that_alerts_build_on_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules("record")}
    asked = {name for rule in rules("alert") for name in re.findall(r"\bsidecar:[\w:]+", rule["expr"])}
    assert asked == recorded
