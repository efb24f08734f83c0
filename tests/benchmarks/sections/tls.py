"""The same with TLS: to the provider, and from an agent that comes by CONNECT."""

from collections.abc import Iterator, Sequence

from tests.benchmarks import calls
from tests.benchmarks.agent import Route
from tests.benchmarks.contestants import BARE, DIRECT, ENDED_HOST, MINIMAL, NGINX, Contestant
from tests.benchmarks.figures import percentile
from tests.benchmarks.generator import Job, Outcome
from tests.benchmarks.plan import Plan
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.schedule import rounds
from tests.benchmarks.sections import audio, streams
from tests.benchmarks.sections.chat import COLUMNS, completed, rate_lines
from tests.benchmarks.tables import table
from tests.benchmarks.targets import Verdict

SECTION = "tls"
_CHAT, _STREAMS = "chat", "streams"
_WAYS = {
    "direct": "no proxy, TLS to the provider",
    "tunnel": "sidecar, TLS passed through",
    "ended": "sidecar, TLS ended and begun anew",
}
_NEW_CONNECTIONS, _LINES = 40, 8


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    taking_part = [contestant for contestant in rig.contestants if contestant.name in (DIRECT, MINIMAL, NGINX, BARE)]
    for number, (contestant, what) in rounds(
        [(contestant, what) for contestant in taking_part for what in (_CHAT, *audio.TITLES, _STREAMS)],
        plan.rounds,
        plan.seed,
    ):
        if what == _CHAT:
            _, prefix = rig.address(contestant.name, "small-tls")
            row = rig.load(contestant, rig.script(calls.chat(prefix)), "small-tls", plan.seconds)
            yield completed(row, SECTION, _CHAT, contestant, number)
        elif what == _STREAMS:
            slower = plan.with_seconds(plan.seconds * 2)
            yield streams.one(rig, contestant, "media-tls", slower, SECTION, what, number)
        else:
            yield audio.one(rig, contestant, what, "media-tls", plan, SECTION, what, number)
    bare = next(contestant for contestant in taking_part if contestant.name == BARE)
    for number, way in rounds(list(_WAYS), plan.rounds, plan.seed):
        yield _by_connect(rig, bare, way, plan, number)


def _by_connect(rig: Rig, bare: Contestant, way: str, plan: Plan, number: int) -> Row:
    """One *way* of an agent that speaks TLS itself: calls at a fixed rate, in a closed loop, and new connections."""

    def generate(**job: object) -> tuple[Row, Outcome]:
        whole = Job(route=_route(rig, way), pieces=calls.chat("").pieces, **job)  # type: ignore[arg-type]
        return rig.generate(bare if way != "direct" else Contestant(DIRECT), whole, "small-tls")

    _, opened = generate(kind="open", rate=100, seconds=plan.seconds * 2, warm_up_seconds=0.3, lines=16, seed=number)
    closed_row, closed = generate(kind="closed", seconds=plan.seconds, lines=_LINES)
    connect_row, connected = generate(kind="connect", count=_NEW_CONNECTIONS)
    return closed_row | {
        "section": SECTION,
        "variant": "connect",
        "contestant": way,
        "round": number,
        "errors": sum(opened.errors.values()),
        "p50": percentile(opened.latency_us, 0.5),
        "rate": closed.calls / closed.seconds,
        "cpu_us_per_call": closed_row["cpu_us"] / closed.calls,
        "connect_p50": percentile(connected.connect_us, 0.5),
        "first_answer_p50": percentile(connected.latency_us, 0.5),
        "connect_cpu_us": connect_row["cpu_us"] / connected.calls,
    }


def _route(rig: Rig, way: str) -> Route:
    around = rig.around
    if way == "direct":
        return rig.route(DIRECT, "small-tls")
    port = rig.ports[BARE][0]
    if way == "tunnel":
        return Route(port, authority=f"127.0.0.1:{around.port('small-tls')}", ca_file=around.ca_file)
    authority_file = rig.directory / f"{BARE}-{port}" / "tls" / "ca.crt"
    return Route(port, authority=f"{ENDED_HOST}:443", ca_file=str(authority_file), server_name=ENDED_HOST)


def tables(rows: Sequence[Row]) -> list[str]:
    found = []
    chat = Rows(rows, SECTION, _CHAT)
    heading = f"TLS to the provider: small chat call, closed loop; medians of {chat.rounds} rounds"
    found.append(table(heading, COLUMNS, rate_lines(chat)))
    found.append(streams.stream_table(Rows(rows, SECTION, _STREAMS), "TLS to the provider: streams"))
    for direction, title in audio.TITLES.items():
        found.append(audio.audio_table(Rows(rows, SECTION, direction), f"TLS to the provider: {title}"))
    found.append(_connect_table(Rows(rows, SECTION, "connect")))
    return found


def _connect_table(rows: Rows) -> str:
    columns = (
        "us",
        "p50 at 100/s",
        "calls/s",
        "CPU/call",
        "new connection",
        "to its first answer",
        "CPU/new connection",
    )
    lines = []
    for way, title in _WAYS.items():
        if not rows.has(way):
            continue
        proxied = way != "direct"
        lines.append(
            [
                title,
                f"{rows.median(way, 'p50'):.0f}",
                f"{rows.median(way, 'rate'):,.0f}",
                f"{rows.median(way, 'cpu_us_per_call'):.0f}" if proxied else "",
                f"{rows.median(way, 'connect_p50'):,.0f}",
                f"{rows.median(way, 'first_answer_p50'):,.0f}",
                f"{rows.median(way, 'connect_cpu_us'):,.0f}" if proxied else "",
            ]
        )
    notes = [
        f"calls/s: {_LINES} connections of a Python agent, which is the limit; read the CPU. A new connection is",
        "CONNECT and all handshakes; its CPU includes one call",
    ]
    return table(f"an agent with HTTPS_PROXY: small chat call; medians of {rows.rounds} rounds", columns, lines, notes)


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    found = streams.stream_verdicts(Rows(rows, SECTION, _STREAMS), " over TLS")
    for direction in audio.TITLES:
        found += audio.audio_verdicts(Rows(rows, SECTION, direction), f"audio {direction} over TLS")
    return found
