"""What the cache tells, for people: lines of text from the answers of its console."""

from collections.abc import Iterator
from typing import Any

from sidecar.cli.legible import clean, columns
from sidecar.cli.quantities import seconds, size

#: Digits of a key: enough to tell entries apart.
KEY_DIGITS = 12
_HEADING = (
    "KEY", "OPERATION", "PROVIDER", "MODEL/VOICE", "LANGUAGE", "CHARS", "AUDIO", "SIZE", "AGE", "FRESH", "CALLS",
    "SOURCE", "WHERE",
)  # fmt: skip
_SOURCES = {
    "call": "by an agent's call",
    "warm": "before it was asked for",
    "refresh": "behind an agent's call",
    "import": "by an import",
}
_REPEATS = {
    "retries": "the agent's library tried again",
    "fan_out": "the same was under way",
    "phrases": "the same text spoken",
    "replays": "the same recording heard",
    "questions": "the same asked of a model",
}


def listed(found: dict[str, Any]) -> Iterator[str]:
    """Entries as a table, and how many there are."""
    rows = [_HEADING, *(_row(entry) for entry in found["entries"])]
    if found["entries"]:
        yield from columns(rows)
    alone = f", {found['on_disk_alone']} on the disk alone" if found["on_disk_alone"] else ""
    yield f"{len(found['entries'])} of {found['matching']} that fit, {found['kept']} kept in memory{alone}"


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        entry["key"][:KEY_DIGITS],
        entry["operation"],
        clean(entry["provider"]),
        clean("/".join(part for part in (entry["model"], entry["voice"]) if part) or entry["endpoint"]),
        clean(entry["language"]) or "-",
        str(entry["characters"] or "-"),
        seconds(entry["audio_seconds"]) if entry["audio_seconds"] else "-",
        size(entry["size_bytes"]),
        seconds(entry["age_seconds"]),
        seconds(entry["fresh_seconds"]) if entry["fresh_seconds"] > 0 else "stale",
        f"{entry['calls']:.3g}",
        entry["source"],
        "+".join(entry["tiers"]),
    )


def told_entry(entry: dict[str, Any]) -> Iterator[str]:
    """One entry, and the parts of its key."""
    yield f"entry {entry['key']}"
    wanted = (("model", "model"), ("voice", "voice"), ("language", "language"))
    asked = [f"{name} {entry[field]}" for name, field in wanted if entry[field]]
    if entry["characters"]:
        asked.append(f"{entry['characters']} characters")
    left = entry["fresh_seconds"]
    rows = [
        ("asked", f"{entry['provider']} for {entry['operation']}, {entry['endpoint']} ({entry['dialect']})"),
        ("wanted", ", ".join([*asked, *(["as a stream"] if entry["streamed"] else [])]) or "-"),
        ("answer", _answer(entry)),
        ("came", f"{_SOURCES.get(entry['source'], entry['source'])}, first byte after "
                 f"{seconds(entry['waited_seconds'])}, last after {seconds(entry['took_seconds'])}"),
        ("kept", f"in {' and on the '.join(entry['tiers'])}" if entry["tiers"][0] == "memory" else "on the disk"),
        ("age", f"{seconds(entry['age_seconds'])}, "
                + (f"fresh for {seconds(left)} more" if left > 0 else f"stale for {seconds(-left)}")),
        ("asked for", f"{entry['calls']:.3g} times, old ones counted less"),
    ]  # fmt: skip
    yield from columns([(name, clean(value)) for name, value in rows], "  ")
    yield ""
    yield "what its key is made of"
    parts = columns([(clean(part["name"]), part["digest"]) for part in entry["parts"]], "  ")
    yield from parts or ["  it is not known any more"]


def _answer(entry: dict[str, Any]) -> str:
    held = f" ({size(entry['held_bytes'])} in memory)" if entry["held_bytes"] else ""
    parts = [f"{entry['content_type']}, {size(entry['size_bytes'])}{held}"]
    if entry["content_coding"]:
        parts.append(f"coded as {entry['content_coding']}")
    if entry["audio_seconds"]:
        parts.append(f"{seconds(entry['audio_seconds'])} of audio")
    return ", ".join(parts)


def statistics(stats: dict[str, Any]) -> Iterator[str]:
    outcomes, memory, given = stats["outcomes"], stats["tiers"]["memory"], stats["given"]
    yield f"{stats['looked_up']} calls looked up, {stats['answered']} answered without one of their own"
    rows = [
        ("hit ratio", _share(stats["hit_ratio"])),
        ("at most", f"{_share(stats['hit_ratio_bound'])}: about {stats['distinct']} different calls, each asked once"),
    ]
    rows += [(_SPACED.get(name, name), str(outcomes[name])) for name in outcomes]
    yield from columns(rows, "  ")
    yield ""
    yield "why calls came again"
    yield from columns(
        [(_SPACED.get(name, name), str(n), _REPEATS[name]) for name, n in stats["repeats"].items()], "  "
    )
    yield ""
    yield "where answers are"
    held = f"{memory['entries']} entries, {size(memory['held_bytes'])} of {size(memory['max_bytes'])}"
    rows = [("memory", f"{held}, {memory['evicted']} made room, {given['memory']} given")]
    if (disk := stats["tiers"]["disk"]) is not None:
        rows.append(("disk", _disk(disk, given["disk"])))
    if (shared := stats["tiers"]["shared"]) is not None:
        state = "answers" if shared["answering"] else "is left alone"
        rows.append(("shared", f"{state}; {shared['hit']} found, {shared['miss']} not, {shared['late']} too late"))
    yield from columns([(name, clean(value)) for name, value in rows], "  ")
    yield ""
    yield "what hits save, by control calls"
    yield from columns([_saved(each) for each in stats["saved"]], "  ") if stats["saved"] else ["  nothing is known"]


def _disk(disk: dict[str, Any], given: int) -> str:
    state = disk["trouble"] or ("works" if disk["answering"] else "is too slow, and is left alone")
    held = f"{disk['entries']} entries, {size(disk['taken_bytes'])} of {size(disk['max_bytes'])}"
    written = f"{disk['stored']} written, {disk['dropped']} not, {disk['garbled']} damaged"
    return f"{state}; {held}, {disk['evicted']} made room, {given} given, {disk['late']} too late; {written}"


_SPACED = {"fan_out": "fan-out"}


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"


def _saved(saved: dict[str, Any]) -> tuple[str, ...]:
    kind = clean("/".join(part for part in (saved["operation"], saved["model"]) if part))
    cost = "" if saved["cost"] is None else f"{_interval(saved['cost'], '{:.4g}')} of money"
    agreement = ""
    if saved["agreement"] is not None:
        agreement = f"{saved['agreement']:.0%} of {saved['compared']} say the same"
    return (
        kind,
        f"{saved['hits']} hits",
        f"{saved['control_calls']} control calls",
        _waiting(saved),
        cost,
        agreement + ("" if saved["answered"] else "; switched off, see sidecar cache on"),
    )


def _waiting(saved: dict[str, Any]) -> str:
    if saved["control_calls"] < 2:
        return "too few control calls to say"
    return f"{_interval(saved['waited_seconds'], '{:.3g}')} s of waiting"


def _interval(interval: list[float | None], form: str) -> str:
    """``12 ± 3``: a mean and half of its 95 % interval, which may be unknown."""
    mean, half_width = interval
    width = "?" if half_width is None else form.format(half_width)
    return f"{form.format(mean or 0.0)} ± {width}"


def warmed(done: dict[str, Any]) -> Iterator[str]:
    state = "so far" if done["running"] else "done"
    missing = done["wanted"] - done["there"] - done["fetched"]
    yield (
        f"{state}: {done['wanted']} phrases wanted, {done['there']} were there, {done['fetched']} fetched, "
        f"{missing} not; {done['calls']} calls, {done['failed_calls']} failed"
    )
    yield from (f"  {clean(each)}" for each in (*done["troubles"], *done["waiting"]))
