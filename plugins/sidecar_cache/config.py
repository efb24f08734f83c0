"""What can be configured of the cache."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sidecar import Duration, PluginConfig, Secret, Size

_DAY, _HOUR = "1d", "1h"


class Answers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long answers of one kind are given again."""

    ttl: Annotated[Duration, Meta(description="How long an answer is fresh. 0s: such calls are not kept.")] = Duration(
        "1h"
    )
    stale_while_revalidate: Annotated[
        Duration, Meta(description="How long after that it is given while a new one is fetched behind the call.")
    ] = Duration("0s")
    stale_if_error: Annotated[
        Duration, Meta(description="How long after that it is given if the provider fails or cannot be reached.")
    ] = Duration("0s")
    floor: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description="The share of stored answers that must say what fresh ones say, by the control group's last "
            "200; below it, answers of that model are not given any more. 0: whatever they say.",
        ),
    ] = 0.0


class Disk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What memory has no room for, and what survives a restart of the container."""

    directory: Annotated[str, Meta(description="An emptyDir of the pod.")] = "/run/agent-sidecar/cache"
    size: Annotated[
        Size, Meta(description="What may be taken there, journals included: a little less than the volume's sizeLimit.")
    ] = Size("256MiB")
    budget: Annotated[
        Duration, Meta(description="How long a call waits for it at most. What is not there is not waited for.")
    ] = Duration("20ms")
    secret: Annotated[
        Secret | None, Meta(description="Seals what is there, at least 16 characters. null: it is legible.")
    ] = None


class Shared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store that pods share. They must have the same ``secret`` of the cache."""

    url: Annotated[
        str | None, Meta(description="Redis or Valkey: redis://host:6379/0, or rediss:// for TLS. Needs [redis].")
    ] = None
    password: Annotated[Secret | None, Meta(description="Of Redis, instead of the one in the URL.")] = None
    backend: Annotated[
        str | None, Meta(description="Any other backend of aiocache instead of url: package.module:Class.")
    ] = None
    arguments: Annotated[dict[str, Any], Meta(description="What that class is made with.")] = field(
        default_factory=dict
    )
    namespace: Annotated[str, Meta(description="Those who share it share answers.")] = "agent-sidecar"
    budget: Annotated[Duration, Meta(description="How long a call waits for it at most.")] = Duration("20ms")
    secret: Annotated[
        Secret | None, Meta(description="Seals what is there, at least 16 characters. null: it is legible.")
    ] = None


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What calls of a model cost, in whatever currency the report is to be in."""

    model: Annotated[str, Meta(description="Its name, or how that begins if a * ends it.")] = "*"
    input: Annotated[float, Meta(ge=0.0, description="A million tokens that go in.")] = 0.0
    output: Annotated[float, Meta(ge=0.0, description="A million tokens that come out.")] = 0.0
    characters: Annotated[float, Meta(ge=0.0, description="A million characters that are spoken.")] = 0.0
    minutes: Annotated[float, Meta(ge=0.0, description="A minute of audio.")] = 0.0


class Control(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hits that are sent to the provider as well: only they tell what hits save, and whether they are right."""

    share: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Of all hits; each costs a call. 0: nothing is said of savings.")
    ] = 0.0
    prices: Annotated[list[Price], Meta(description="The first that fits counts. Without one no money is told.")] = (
        field(default_factory=list)
    )


class Phrase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Speech that is to be there before it is asked for."""

    provider: Annotated[
        str, Meta(description="Its name in providers. Without a credential there, it is asked with an agent's.")
    ] = "openai"
    path: Annotated[str, Meta(description="Where it is sent.")] = "/v1/audio/speech"
    request: Annotated[
        dict[str, Any], Meta(description="As the agent's SDK sends it, but for the text: model, voice, format, …")
    ] = field(default_factory=lambda: {"model": "tts-1", "voice": "alloy"})
    text: Annotated[str, Meta(description="The member of the request that has the text.")] = "input"
    headers: Annotated[dict[str, str], Meta(description="Further headers that change the answer.")] = field(
        default_factory=dict
    )
    phrases: Annotated[list[str], Meta(description="The texts.")] = field(default_factory=list)
    file: Annotated[str | None, Meta(description="A file with further texts, one a line.")] = None


class Warm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is fetched in the background at start."""

    speech: Annotated[list[Phrase], Meta(description="By how it is spoken.")] = field(default_factory=list)
    calls: Annotated[int, Meta(ge=0, description="At most so many calls per start.")] = 500
    at_once: Annotated[int, Meta(ge=1, le=16, description="So many at the same time.")] = 2
    per_second: Annotated[float, Meta(gt=0.0, description="No more than so many a second.")] = 5.0
    agents: Annotated[
        int,
        Meta(
            ge=0,
            le=16,
            description="Where a provider has no credential: for so many agents, those whose speech comes first.",
        ),
    ] = 1


class CacheConfig(PluginConfig, frozen=True):
    """What is kept, for how long, where, and how it is proven that it is worth it."""

    tts: Annotated[Answers, Meta(description="Speech: what a voice has said it would say again.")] = Answers(
        ttl=Duration("7d"), stale_while_revalidate=Duration(_DAY), stale_if_error=Duration("30d")
    )
    stt: Annotated[Answers, Meta(description="Transcripts of the very same recording.")] = Answers(
        ttl=Duration(_DAY), stale_if_error=Duration("7d"), floor=0.9
    )
    chat: Annotated[Answers, Meta(description="Language models.")] = Answers(
        ttl=Duration(_HOUR), stale_if_error=Duration(_DAY), floor=0.9
    )
    jitter: Annotated[
        float, Meta(ge=0.0, le=0.5, description="By what share a ttl is longer or shorter, drawn for each answer.")
    ] = 0.1
    max_memory: Annotated[Size, Meta(description="What all answers together may hold in memory.")] = Size("64MiB")
    max_entry: Annotated[Size, Meta(description="The largest answer that is kept.")] = Size("8MiB")
    max_request: Annotated[
        Size, Meta(description="The largest request that is looked up; larger ones stream past.")
    ] = Size("8MiB")
    pace: Annotated[
        Literal["at_once", "original"],
        Meta(description="How a stored answer that came in chunks is given: all in one, or as slowly as it came."),
    ] = "at_once"
    by_samples: Annotated[
        bool,
        Meta(description="Whether recordings in WAV and FLAC are known by their samples: one for the other will do."),
    ] = False
    tenant: Annotated[
        Literal["agent", "pod"],
        Meta(
            description="Who shares answers where the sidecar's own credential replaces those of agents: agents that "
            "send the same one, or all of the pod."
        ),
    ] = "agent"
    responses: Annotated[
        Literal["stored", "stateless"],
        Meta(
            description="Whether somebody reads by its id what a provider stores of the Responses API. stateless: "
            "nobody; such calls are answered again."
        ),
    ] = "stored"
    keep_substitutes: Annotated[
        bool,
        Meta(description="Whether an answer that came from another provider is kept as that of the one asked."),
    ] = False
    cache_status: Annotated[
        Literal["hits", "all"],
        Meta(description="Which answers say Cache-Status: those that are given again, or those of providers as well."),
    ] = "hits"
    secret: Annotated[
        Secret | None,
        Meta(description="Of keys. null: made at start, and kept beside the answers if those are on a disk."),
    ] = None
    disk: Annotated[Disk | None, Meta(description="null: memory alone, which is empty after a restart.")] = None
    shared: Annotated[Shared | None, Meta(description="null: this pod's own.")] = None
    control: Annotated[Control, Meta(description="What hits save, measured.")] = Control()
    warm: Annotated[Warm, Meta(description="Speech that is there before it is asked for.")] = Warm()
