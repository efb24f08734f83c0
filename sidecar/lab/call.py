"""A call as the handlers of an emulated provider see it."""

import asyncio
import base64
import binascii
import json
import random
from typing import Any
from urllib.parse import parse_qsl, unquote

from msgspec import Struct
from multidict import CIMultiDictProxy

from sidecar.dialect import Operation
from sidecar.lab.clock import Clock
from sidecar.lab.engines.contract import Engines
from sidecar.lab.forms import Form, multipart
from sidecar.lab.journal import Received
from sidecar.lab.latency import Latency
from sidecar.lab.reply import Refusal, Trouble
from sidecar.lab.takes import Takes

Json = dict[str, Any]


class Identifiers:
    """Seeded, so that a run can be repeated."""

    def __init__(self, random_source: random.Random) -> None:
        self._random = random_source

    def hex(self, digits: int = 24) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        digits = self.hex(32)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def named(self, prefix: str, digits: int = 24) -> str:
        return f"{prefix}{self.hex(digits)}"


class Bench(Struct, frozen=True):
    """What the emulation of one provider works with."""

    engines: Engines
    latency: Latency
    clock: Clock
    ids: Identifiers
    takes: Takes


class Call:
    """One request, whole. ``params`` are the variable parts of its path."""

    def __init__(
        self,
        received: Received,
        headers: CIMultiDictProxy[str],
        body: bytes,
        params: dict[str, str],
        bench: Bench,
        began: float,
    ) -> None:
        self.received = received
        self.headers = headers
        self.body = body
        self.params = params
        self.bench = bench
        self.began = began
        """When the whole request was there, on the lab's clock."""
        self.query_items = parse_qsl(received.query, keep_blank_values=True)

    @property
    def method(self) -> str:
        return self.received.method

    @property
    def path(self) -> str:
        return unquote(self.received.path)

    @property
    def ids(self) -> Identifiers:
        return self.bench.ids

    @property
    def engines(self) -> Engines:
        return self.bench.engines

    def elapsed_seconds(self) -> float:
        return self.bench.clock.monotonic() - self.began

    def query(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.query_items if key == name), default)

    def query_number(self, name: str, default: float) -> float:
        try:
            return float(self.query(name) or default)
        except ValueError:
            raise Refusal(Trouble.INVALID, f"{name} must be a number.", param=name) from None

    def query_flag(self, name: str) -> bool:
        return self.query(name).lower() in ("true", "1")

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Json:
        return read_json(self.body)

    def multipart(self) -> Form:
        try:
            return multipart(self.headers.get("Content-Type", ""), self.body)
        except ValueError as error:
            raise Refusal(Trouble.INVALID, f"Could not parse multipart form: {error}.") from None

    async def take_time(self, operation: Operation, amount: float) -> None:
        """Wait as long as the provider thinks before it says something over a socket; amounts as in `Work`."""
        if seconds := self.bench.latency.first_byte_seconds(operation, amount):
            await self.bench.clock.sleep(seconds)

    async def pace_tokens(self, tokens: int = 1) -> None:
        """Wait as long as so many tokens take to be made."""
        if seconds := self.bench.latency.tokens_seconds(tokens):
            await self.bench.clock.sleep(seconds)
        else:
            await asyncio.sleep(0)


def read_json(body: bytes | str) -> Json:
    """A JSON object; anything else is the client's mistake."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refusal(Trouble.INVALID, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(value, dict):
        raise Refusal(Trouble.INVALID, "The body of your request must be a JSON object.")
    return value


def text_field(value: Json, *names: str) -> str:
    """The first of *names* that is there (they are spellings of one field), which must be text."""
    for name in names:
        if isinstance(text := value.get(name), str):
            return text
        if text is not None:
            raise Refusal(Trouble.INVALID, f"Invalid type for '{name}': expected a string.", param=name)
    raise Refusal(Trouble.INVALID, f"Missing required parameter: '{names[0]}'.", param=names[0])


def list_field(value: Json, *names: str) -> list[Any]:
    for name in names:
        if isinstance(items := value.get(name), list):
            return items
        if items is not None:
            raise Refusal(Trouble.INVALID, f"Invalid type for '{name}': expected an array.", param=name)
    raise Refusal(Trouble.INVALID, f"Missing required parameter: '{names[0]}'.", param=names[0])


def from_base64(text: str, param: str) -> bytes:
    """Of either alphabet, padded or not: services take all of them, and Google's SDKs send the URL-safe one."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE) + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(Trouble.INVALID, f"'{param}' is not valid base64.", param=param) from None


_URL_SAFE = str.maketrans("-_", "+/")
