"""What can be configured of ordering."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sidecar import Duration, PluginConfig, Secret, Size
from sidecar_ordering.candidates import Awaited
from sidecar_ordering.score import Mode


class CandidateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One who may answer. Its own credential is that of its provider (`providers.NAME.credential`)."""

    provider: Annotated[str, Meta(description="A provider's name, as under providers.")] = ""
    model: Annotated[
        str | None, Meta(description="What to ask for there. null: what the agent asks for, if it has that.")
    ] = None
    models: Annotated[
        dict[str, str], Meta(description="The same by the model that the agent asks for; it goes before model.")
    ] = field(default_factory=dict)
    voice: Annotated[
        str | None, Meta(description="Whose voice speaks there. null: the agent's, if it has that one.")
    ] = None
    voices: Annotated[
        dict[str, str], Meta(description="The same by the voice that the agent asks for; it goes before voice.")
    ] = field(default_factory=dict)
    may_lose: Annotated[
        tuple[str, ...],
        Meta(
            description="What may be left out of a call where this provider has no counterpart (docs/translation.md); "
            "otherwise it is no candidate for calls that ask for it."
        ),
    ] = ()
    quality: Annotated[float, Meta(gt=0.0, le=1.0, description="How good its answers are; 1 is the best there is.")] = (
        1.0
    )
    price: Annotated[
        Annotated[float, Meta(ge=0.0)] | None,
        Meta(description="Of a typical call, in the currency of all the others. null: it is not known."),
    ] = None
    weight: Annotated[float, Meta(ge=0.0, description="For weighted: the share of calls that it is to answer.")] = 1.0
    hedge: Annotated[
        bool, Meta(description="Whether it may be asked beside another. false: where every call under way counts.")
    ] = True


class Hedging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second attempt while the first one is still awaited."""

    share: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Extra calls at most, as a share of all calls. 0: none.")
    ] = 0.05
    quantile: Annotated[
        float,
        Meta(gt=0.5, lt=1.0, description="The second is sent when the first is later than this share of its answers."),
    ] = 0.95
    race: Annotated[
        int, Meta(ge=1, le=3, description="So many are asked at once for calls that are marked as critical.")
    ] = 1


class Calls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may answer calls of one kind, and whom to prefer."""

    candidates: Annotated[
        tuple[CandidateSettings, ...],
        Meta(
            description="In order of preference for mode priority. The provider that the agent calls always is one; it "
            "stands first unless it is named here."
        ),
    ] = ()
    mode: Annotated[
        Mode,
        Meta(
            description="fastest: by speed, surety, quality and price. cheapest-within: the cheapest of those that are "
            "about as fast as the fastest. priority: as listed. weighted: by weight. sticky: as a conversation began."
        ),
    ] = Mode.FASTEST
    within: Annotated[
        float, Meta(ge=0.0, description="For cheapest-within: how much slower than the best it may be; 0.25 is 25 %.")
    ] = 0.25
    price_weight: Annotated[float, Meta(ge=0.0, description="How much price counts. 0: not at all.")] = 0.0
    quality_weight: Annotated[float, Meta(ge=0.0, description="How much quality counts. 0: not at all.")] = 1.0
    min_quality: Annotated[float, Meta(ge=0.0, le=1.0, description="Who is below this is never asked.")] = 0.0
    max_price: Annotated[
        Annotated[float, Meta(ge=0.0)] | None, Meta(description="Who is above this is never asked. null: nobody is.")
    ] = None
    deadline: Annotated[
        Duration | None,
        Meta(description="How long the agent waits for the first byte. null: as long as its library says, if it does."),
    ] = None
    awaits: Annotated[
        Awaited, Meta(description="What the agent waits for: first_byte of a stream, or the end of the answer.")
    ] = Awaited.FIRST_BYTE
    hedge: Annotated[Hedging, Meta(description="A second attempt beside one that is late.")] = Hedging()
    resume: Annotated[
        bool,
        Meta(
            description="chat: whether another model may go on with a stream that broke off, where it takes what "
            "was said so far as the beginning of its own. Never once the call of a tool has begun."
        ),
    ] = False
    also_for: Annotated[
        tuple[Literal["auth", "refused"], ...],
        Meta(
            description="Failures of which the owner decides. auth: the agent's credential is not accepted; "
            "refused: the content is against the provider's policy. Listed here, another provider is asked."
        ),
    ] = ()


class SharedStatistics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pods tell each other what they have learned."""

    url: Annotated[
        str, Meta(description="Redis or Valkey: redis://host:6379/0, or rediss:// for TLS. Needs [redis].")
    ] = ""
    password: Annotated[Secret | None, Meta(description="Of Redis, instead of the one in the URL.")] = None
    namespace: Annotated[str, Meta(description="Those who share it know of each other.")] = "agent-sidecar"
    every: Annotated[Duration, Meta(description="How often that is done.")] = Duration("10s")


class OrderingConfig(PluginConfig, frozen=True, kw_only=True):
    """Whom each call is sent to, and who answers if that goes wrong."""

    tts: Annotated[Calls | None, Meta(description="Calls to speak. null: they go where the agent sends them.")] = None
    stt: Annotated[Calls | None, Meta(description="Calls to transcribe. null: they go where the agent sends them.")] = (
        None
    )
    chat: Annotated[
        Calls | None, Meta(description="Calls to language models. null: they go where the agent sends them.")
    ] = None
    realtime: Annotated[
        Calls | None,
        Meta(description="Realtime sessions. As with all sockets, candidates speak the same dialect."),
    ] = None
    state: Annotated[
        str | None,
        Meta(description="A file in which what was learned outlives a restart, in an emptyDir. null: it does not."),
    ] = None
    shared: Annotated[
        SharedStatistics | None, Meta(description="Statistics that pods share. null: each learns by itself.")
    ] = None
    max_request: Annotated[
        Size, Meta(description="A longer request is sent as it comes, to the provider that the agent calls, once.")
    ] = Size("32MiB")
    conversation_header: Annotated[
        str | None, Meta(description="The agent's header field that tells what belongs together, for sticky.")
    ] = "x-conversation-id"
    critical_header: Annotated[
        str | None, Meta(description="The agent's header field that marks a call to be raced, whatever it says.")
    ] = "x-sidecar-critical"
