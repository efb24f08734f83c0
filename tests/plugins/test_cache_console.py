"""What the cache tells over the admin interface, and does when it is asked to."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sidecar_cache import Cache
from sidecar_cache.bound import Distinct
from sidecar_cache.carried import END, NoExport, batches, read
from sidecar_cache.codec import Codec
from sidecar_cache.disk import Disk
from sidecar_cache.listing import Misunderstood, Selection
from sidecar_cache.shared import Unreachable

from sidecar import Exchange
from sidecar.lab.audio import wav
from sidecar.testing import Stage, answer, call, configured
from tests.plugins.kept_entries import entry

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "what I asked"}]}
COMPLETION = {"id": "c", "choices": [{"index": 0, "message": {"content": "what it said"}, "finish_reason": "stop"}]}
SAMPLES = bytes(24000)
SECRET = "secret: ${env:SECRET}"
AUDIO = wav.header("pcm_s16le", 24000, len(SAMPLES)) + SAMPLES


def chat(**members: Any) -> Exchange:
    return call("openai", "/v1/chat/completions", {**CHAT, **members})


def speech(text: str = "Hello!", voice: str = "alloy") -> Exchange:
    body = {"model": "tts-1", "voice": voice, "input": text, "response_format": "wav"}
    return call("openai", "/v1/audio/speech", body)


class Asked:
    """A cache in service that is asked things."""

    def __init__(self, stage: Stage, cache: Cache) -> None:
        self.stage = stage
        self.cache = cache

    async def __call__(self, method: str, path: str, body: bytes = b"", **query: str) -> Any:
        told = await self.stage.console("cache", path, method, body, **query)
        assert told is not None
        assert told.status == 200, told.value
        return told.value if isinstance(told.value, bytes) else json.loads(msgspec.json.encode(told.value))

    async def refused(self, method: str, path: str, **query: str) -> tuple[int, str]:
        told = await self.stage.console("cache", path, method, b"", **query)
        assert told is not None
        return told.status, told.value["error"]

    async def keep(self) -> None:
        """Two speeches and a chat."""
        for text, voice in (("Hello!", "alloy"), ("Good bye, then.", "echo")):
            await self.stage.play(speech(text, voice), answer(AUDIO, content_type="audio/wav"))
        await self.stage.play(chat(), answer(COMPLETION))

    async def keys(self, **query: str) -> list[str]:
        return [each["key"] for each in (await self("GET", "entries", b"", **query))["entries"]]


@asynccontextmanager
async def asking(config: str = "", secret: str = "the-same-for-all-of-them") -> AsyncIterator[Asked]:
    cache = configured(Cache, config, {"SECRET": secret})
    async with Stage(cache) as stage:
        yield Asked(stage, cache)


class TestLooking:
    async def test_entries_are_told_without_what_they_say(self) -> None:
        async with asking() as ask:
            await ask.keep()
            await ask.stage.play(speech())
            found = await ask("GET", "entries")
        assert (found["matching"], found["kept"]) == (3, 3)
        first = found["entries"][0]
        assert {
            name: first[name] for name in ("provider", "operation", "endpoint", "model", "voice", "characters")
        } == {
            "provider": "openai",
            "operation": "tts",
            "endpoint": "audio.speech",
            "model": "tts-1",
            "voice": "alloy",
            "characters": 6,
        }
        assert (first["calls"], first["audio_seconds"], first["size_bytes"]) == (1.0, 0.5, len(AUDIO))
        assert (first["source"], first["content_type"]) == ("call", "audio/wav")
        assert 0 <= first["age_seconds"] < 60
        assert first["fresh_seconds"] > 86400
        for secret in ("Hello!", "what I asked", "what it said"):
            assert secret not in json.dumps(found)

    async def test_filters_and_orders_choose_and_sort(self) -> None:
        async with asking() as ask:
            await ask.keep()
            assert len(await ask.keys(voice="al*")) == 1
            assert len(await ask.keys(operation="tts", voice="*o*")) == 2
            assert await ask.keys(older="1h") == []
            assert await ask.keys(source="warm") == []
            (chat_key,) = await ask.keys(operation="chat")
            assert (await ask.keys(sort="size"))[-1] == chat_key
            longest = await ask.keys(sort="characters", limit="1")
            assert longest == await ask.keys(voice="echo")
            assert (await ask("GET", "entries", limit="1"))["matching"] == 3

    async def test_an_entry_is_found_by_the_beginning_of_its_key_with_the_parts_of_it(self) -> None:
        async with asking() as ask:
            await ask.keep()
            (key,) = await ask.keys(voice="alloy")
            shown = await ask("GET", f"entries/{key[:12]}")
            assert shown["key"] == key
            names = {part["name"] for part in shown["parts"]}
            assert {"tenant", "provider", "endpoint", "body.voice", "body.input"} <= names
            assert await ask("GET", f"key/{key[:12]}") == {"key": key, "parts": shown["parts"]}
            assert "Hello!" not in json.dumps(shown)

    async def test_an_entry_that_was_fetched_anew_still_tells_what_its_key_is_made_of(self) -> None:
        async with asking("control: {share: 1.0}") as ask:
            for _ in range(3):
                await ask.stage.play(speech(), answer(AUDIO, content_type="audio/wav"))
            (key,) = await ask.keys(source="refresh")
            assert len((await ask("GET", f"key/{key}"))["parts"]) > 5

    async def test_content_is_told_to_who_asks_for_it(self) -> None:
        async with asking() as ask:
            await ask.keep()
            (spoken,), (written,) = [await ask.keys(operation=name, voice=voice) for name, voice in KINDS]
            assert await ask("GET", f"entries/{spoken}", content="1") == AUDIO
            assert json.loads(await ask("GET", f"entries/{written}", content="1")) == COMPLETION

    @pytest.mark.parametrize(
        ("method", "path", "query", "status", "reason"),
        [
            ("GET", "nothing", {}, 404, "the cache has no GET nothing; there are GET entries,"),
            ("PUT", "entries", {}, 404, "the cache has no PUT entries"),
            ("GET", "entries", {"sort": "beauty"}, 400, "sort: beauty is no order; there are calls,"),
            ("GET", "entries", {"limit": "-1"}, 400, "limit: expected a number"),
            ("GET", "entries", {"voise": "x"}, 400, "no filter is called voise; there are provider,"),
            ("GET", "entries/xyz", {}, 400, "xyz is no key; expected hexadecimal digits"),
            ("GET", "entries/0123", {}, 404, "nothing is kept under key 0123"),
            ("DELETE", "entries/0123", {}, 404, "nothing is kept under key 0123"),
            ("POST", "purge", {}, 400, "say which entries"),
            ("POST", "purge", {"all": "1", "voice": "x"}, 400, "say which entries"),
            ("POST", "purge", {"voise": "x"}, 400, "no filter is called voise"),
            ("POST", "purge", {"older": "2"}, 400, "older: expected a duration with a unit"),
            ("POST", "warm", {}, 409, "nothing says how it is to be spoken"),
            ("POST", "import", {}, 400, "no export of a cache"),
        ],
    )
    async def test_what_makes_no_sense_is_said_and_changes_nothing(
        self, method: str, path: str, query: dict[str, str], status: int, reason: str
    ) -> None:
        async with asking() as ask:
            await ask.keep()
            found = await ask.refused(method, path, **query)
            assert found[0] == status
            assert found[1].startswith(reason)
            assert len(await ask.keys()) == 3

    async def test_a_beginning_that_several_keys_have_is_refused(self) -> None:
        async with asking() as ask:
            for digit in "12":
                ask.cache.holdings.storage.keep("abc" + digit * 29, entry(), 60.0)
            assert await ask.refused("DELETE", "entries/abc") == (409, "2 keys begin with abc; give more of it")


KINDS = (("tts", "alloy"), ("chat", "*"))


class TestThrowingOut:
    async def test_an_entry_that_is_deleted_is_asked_for_anew(self) -> None:
        async with asking() as ask:
            await ask.keep()
            (key,) = await ask.keys(voice="alloy")
            assert await ask("DELETE", f"entries/{key[:8]}") == {"removed": 1, "disk": None, "shared": None}
            assert len((await ask.stage.play(speech(), answer(AUDIO, content_type="audio/wav"))).attempts) == 1

    async def test_a_purge_takes_what_fits_and_nothing_else(self) -> None:
        async with asking() as ask:
            await ask.keep()
            assert (await ask("POST", "purge", operation="tts", voice="e*"))["removed"] == 1
            assert len(await ask.keys()) == 2
            assert (await ask("POST", "purge", all="1"))["removed"] == 2
            assert await ask.keys() == []

    async def test_what_is_purged_by_filters_is_gone_from_the_disk_too(self, tmp_path: Path) -> None:
        config = f"disk: {{directory: {tmp_path}}}"
        async with asking(config) as ask:
            storage = ask.cache.holdings.storage
            about = entry().about
            for number, voice in enumerate(("wrong", "wrong", "right")):
                kept = entry(about=msgspec.structs.replace(about, voice=voice), stored_ns=0)
                storage.keep(f"{number:032x}", kept, 60.0)
            storage.memory.forget(f"{0:032x}")  # it has made room, and is on the disk alone
        async with asking(config) as ask:
            await ask.cache.holdings.storage.loaded(10.0)
            ask.cache.holdings.storage.memory.forget(f"{0:032x}")
            done = await ask("POST", "purge", voice="wrong")
            assert done == {"removed": 2, "disk": "being removed", "shared": None}
            assert await ask.keys() == [f"{2:032x}"]
        async with asking(config) as ask:
            await ask.cache.holdings.storage.loaded(10.0)
            assert await ask.keys() == [f"{2:032x}"]

    async def test_what_waits_for_the_disk_is_purged_as_well(self, tmp_path: Path) -> None:
        disk = Disk(tmp_path, 8 << 20, Codec(None))
        disk.keep("a" * 32, entry())
        disk.forget_all(Selection({"voice": "alloy"}))
        loaded: list[Any] = []
        disk.start(loaded.append, 1 << 20)
        await disk.close(5.0)
        disk = Disk(tmp_path, 8 << 20, Codec(None))
        over = asyncio.Event()
        disk.start(lambda batch: loaded.append(batch) if batch else over.set(), 1 << 20)
        async with asyncio.timeout(10):
            await over.wait()
        await disk.close(5.0)
        assert [batch for batch in loaded if batch] == []

    async def test_a_shared_store_confirms_or_that_it_does_not_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with asking(f"{SECRET}\nshared: {{backend: 'aiocache:SimpleMemoryCache'}}") as ask:
            await ask.keep()
            (key,) = await ask.keys(voice="alloy")
            assert (await ask("DELETE", f"entries/{key}"))["shared"] == "confirmed"
            shared = ask.cache.holdings.storage.shared
            assert shared is not None

            async def unreachable(keys: object, within_seconds: float) -> None:
                raise Unreachable("no answer")

            monkeypatch.setattr(shared, "purge", unreachable)
            done = await ask("POST", "purge", all="1")
            assert done["shared"] == "not confirmed: no answer; it goes on being tried"


@asynccontextmanager
async def both_tiers(directory: Path) -> AsyncIterator[Asked]:
    """Six entries, of which the first three are on the disk alone, and the last is not there yet."""
    async with asking(f"{SECRET}\ndisk: {{directory: {directory}}}") as ask:
        storage, about = ask.cache.holdings.storage, entry().about
        assert storage.disk is not None
        for number in range(6):
            voice = ("alloy", "echo")[number % 2]
            told: dict[str, Any] = {
                "stored_ns": time.time_ns(),
                "fresh_seconds": 86400.0,
                "parts": ((f"part {number}", 7),),
            }
            kept = entry(100 + number, about=msgspec.structs.replace(about, voice=voice), **told)
            storage.keep(f"{number:x}" * 32, kept, 60.0)
        async with asyncio.timeout(10):
            while len(storage.disk) < 6:
                await asyncio.sleep(0.001)
        for number in range(3):
            storage.memory.forget(f"{number:x}" * 32)
        yield ask


class TestBothTiers:
    async def test_what_is_on_the_disk_alone_is_told_as_well_and_where_it_is(self, tmp_path: Path) -> None:
        async with both_tiers(tmp_path) as ask:
            found = await ask("GET", "entries", sort="size")
            assert (found["matching"], found["kept"], found["on_disk_alone"]) == (6, 3, 3)
            told = {each["key"][0]: (each["size_bytes"], each["tiers"]) for each in found["entries"]}
            assert told["1"] == (101, ["disk"])
            assert told["4"] == (104, ["memory", "disk"])
            assert [each["key"][0] for each in found["entries"]] == list("543210")
            assert [key[0] for key in await ask.keys(sort="size", voice="echo", limit="2")] == list("53")
            assert {each["held_bytes"] > 0 for each in found["entries"] if each["key"][0] in "012"} == {False}

    async def test_an_entry_on_the_disk_is_shown_whole_and_stays_there(self, tmp_path: Path) -> None:
        async with both_tiers(tmp_path) as ask:
            shown = await ask("GET", "entries/11")
            assert (shown["key"], shown["tiers"], shown["size_bytes"]) == ("1" * 32, ["disk"], 101)
            assert shown["parts"] == [{"name": "part 1", "digest": f"{7:016x}"}]
            assert await ask("GET", "entries/11", content="1") == b"x" * 101
            assert "1" * 32 not in ask.cache.holdings.storage.memory
            assert (await ask("GET", "stats"))["tiers"]["disk"]["hit"] == 0, "to look is not to ask"

    async def test_what_is_purged_there_is_gone_at_once(self, tmp_path: Path) -> None:
        async with both_tiers(tmp_path) as ask:
            storage = ask.cache.holdings.storage
            assert (await ask("DELETE", "entries/11"))["removed"] == 1
            assert await storage.recall_from_afar("1" * 32) is None
            assert (await ask("POST", "purge", voice="alloy"))["removed"] == 3
            assert sorted(key[0] for key in await ask.keys()) == list("35")
            assert (await ask("POST", "purge", all="1"))["removed"] == 2
            assert await ask.keys() == []

    async def test_all_of_it_is_exported_and_nothing_newer_is_replaced(self, tmp_path: Path) -> None:
        async with both_tiers(tmp_path) as ask:
            exported = await ask("GET", "export")
            assert len(read(exported).records) == 6
            assert len(read(await ask("GET", "export", voice="alloy", after="0" * 32)).records) == 2
            assert (await ask("POST", "import", exported))["older"] == 6
            await ask("POST", "purge", all="1")
            assert (await ask("POST", "import", exported))["imported"] == 6

    async def test_the_disk_has_numbers_of_its_own(self, tmp_path: Path) -> None:
        async with both_tiers(tmp_path) as ask:
            told = (await ask("GET", "stats"))["tiers"]["disk"]
        assert (told["entries"], told["stored"], told["dropped"]) == (6, 6, 0)
        assert 0 < told["taken_bytes"] < told["max_bytes"] == 256 << 20
        assert (told["answering"], told["trouble"]) == (True, "")

    async def test_a_long_list_is_cut_while_it_is_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sidecar_cache.console._SHOWN", 0)
        async with both_tiers(tmp_path) as ask:
            assert [key[0] for key in await ask.keys(sort="size", limit="1")] == ["5"]
            assert len(await ask.keys(sort="size", limit="0")) == 6


class TestTelling:
    async def test_repetitions_are_told_by_their_reason_beside_what_an_infinite_cache_could_answer(self) -> None:
        async with asking() as ask:
            await ask.keep()
            await ask.stage.play(speech())
            await ask.stage.play(chat())
            again = call("openai", "/v1/chat/completions", CHAT, headers={"X-Stainless-Retry-Count": "1"})
            await ask.stage.play(again)
            first = call("openai", "/v1/chat/completions", CHAT, headers={"X-Stainless-Retry-Count": "0"})
            await ask.stage.play(first)
            told = await ask("GET", "stats")
        assert (told["looked_up"], told["answered"], told["distinct"]) == (7, 4, 3)
        assert told["repeats"] == {"retries": 1, "fan_out": 0, "phrases": 1, "replays": 0, "questions": 2}
        assert told["hit_ratio"] == told["hit_ratio_bound"] == pytest.approx(4 / 7)
        assert told["tiers"]["memory"]["entries"] == 3
        assert told["tiers"]["disk"] is told["tiers"]["shared"] is None
        assert {(each["operation"], each["hits"]) for each in told["saved"]} == {("tts", 1), ("chat", 3)}

    async def test_nothing_is_claimed_before_the_first_call(self) -> None:
        async with asking() as ask:
            told = await ask("GET", "stats")
        assert told["hit_ratio"] is told["hit_ratio_bound"] is None

    @pytest.mark.parametrize("number", [0, 1, 10, 1000, 3000, 10_000, 100_000])
    def test_different_keys_are_counted_to_a_few_percent(self, number: int) -> None:
        chance, distinct = random.Random(1), Distinct()
        for _ in range(number):
            key = f"{chance.getrandbits(128):032x}"
            distinct.add(key)
            distinct.add(key[:12])
        assert len(distinct) == pytest.approx(number, rel=0.05)

    async def test_what_was_switched_off_is_switched_on(self) -> None:
        async with asking() as ask:
            assert await ask("POST", "on") == {"switched_on": 0}


class TestCarrying:
    async def test_entries_come_over_to_another_sidecar_and_are_hits_there(self) -> None:
        async with asking(SECRET) as one:
            await one.keep()
            exported = await one("GET", "export")
        assert b"what it said" not in exported
        assert exported.endswith(END)
        async with asking(SECRET) as other:
            counts = await other("POST", "import", exported)
            assert counts == {"imported": 3, "older": 0, "expired": 0, "garbled": 0, "refused": 0}
            assert len(await other.keys(source="import")) == 3
            assert (await other.stage.play(chat())).json["choices"] == COMPLETION["choices"]
            assert (await other.stage.play(speech())).body == AUDIO

    async def test_many_are_exported_in_pages_and_imported_in_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sidecar_cache.console._PAGE_BYTES", 1000)
        async with asking(SECRET) as one:
            for number in range(9):
                one.cache.holdings.storage.keep(f"{number:032x}", entry(400), 60.0)
            pages, after = [], ""
            while True:
                pages.append(read(await one("GET", "export", after=after)))
                if pages[-1].whole:
                    break
                after = pages[-1].records[-1][0]
        assert len(pages) > 2
        records = [each for page in pages for each in page.records]
        assert [key for key, _ in records] == [f"{number:032x}" for number in range(9)]
        pieces = list(batches(pages[0]._replace(records=records), 1500))
        assert len(pieces) > 2
        assert [each for piece in pieces for each in read(piece).records] == records

    async def test_nothing_newer_is_replaced_and_nothing_useless_is_taken(self) -> None:
        async with asking(SECRET) as one:
            await one.keep()
            exported = await one("GET", "export")
            assert (await one("POST", "import", exported))["older"] == 3
            one.cache.holdings.storage.keep("f" * 32, entry(stored_ns=0), 1.0)
            one.cache.holdings.storage.keep("e" * 32, entry(stored_ns=1 << 62), 1.0)
            exported = await one("GET", "export", source="call")
        async with asking(SECRET) as other:
            counts = await other("POST", "import", exported)
        assert counts == {"imported": 3, "older": 0, "expired": 1, "garbled": 0, "refused": 1}

    async def test_what_is_damaged_is_counted_and_left_out(self) -> None:
        async with asking(SECRET) as one:
            await one.keep()
            exported = bytearray(await one("GET", "export"))
            exported[200] ^= 1
            await one("POST", "purge", all="1")
            counts = await one("POST", "import", bytes(exported))
            assert (counts["imported"], counts["garbled"]) == (2, 1)

    async def test_entries_of_another_secret_are_refused(self) -> None:
        async with asking(SECRET) as one:
            await one.keep()
            exported = await one("GET", "export")
        async with asking(SECRET, "quite-another-one") as other:
            told = await other.stage.console("cache", "import", "POST", exported)
            assert told is not None
            assert told.status == 409
            assert told.value["error"].startswith("exported with another secret of the cache")

    async def test_no_cut_and_no_garbage_is_taken_for_an_export(self) -> None:
        async with asking(SECRET) as one:
            await one.keep()
            exported = await one("GET", "export")
        whole = read(exported)
        for end in range(len(exported)):
            try:
                cut = read(exported[:end])
            except NoExport:
                continue
            assert not cut.whole
            assert cut.records == whole.records[: len(cut.records)]
        with pytest.raises(NoExport, match="something stands behind its end"):
            read(exported + b"x")


@pytest.mark.parametrize("filters", [{"older": "yesterday"}, {"key": "x"}])
def test_a_selection_that_makes_no_sense_is_refused(filters: dict[str, str]) -> None:
    with pytest.raises(Misunderstood):
        Selection(filters)
