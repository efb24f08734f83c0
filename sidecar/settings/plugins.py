"""What can be configured of the layers around a call."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sidecar.addresses import Name
from sidecar.dialect import Operation
from sidecar.units import Duration


class Quarantine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a failing plugin is left out for a while."""

    after: Annotated[int, Meta(ge=1, le=1000, description="Faults in a row.")] = 5
    lasting: Annotated[Duration, Meta(description="How long it is left out.")] = field(
        default=Duration("30s"), name="for"
    )


class PluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer of the onion."""

    use: Annotated[Name, Meta(description="Which plugin: the name of an installed entry point of group sidecar.")]
    name: Annotated[
        Name | None, Meta(description="What it is called here, needed where one plugin is used twice. null: as in use.")
    ] = None
    operations: Annotated[
        Annotated[tuple[Operation, ...], Meta(min_length=1)] | None,
        Meta(
            description="The kinds of calls that it stands around, or is told of. null: its layers stand around all "
            "but passthrough, and it is told of all."
        ),
    ] = None
    on_fault: Annotated[
        Literal["bypass", "fail"],
        Meta(
            description="What a fault of the plugin does to the call. bypass: it goes on without the plugin. fail: "
            "it ends with 502, for a layer that must not be skipped."
        ),
    ] = "bypass"
    budget: Annotated[
        Duration,
        Meta(description="How long it may hold up a call by itself; time spent waiting for the inner layers is free."),
    ] = Duration("250ms")
    quarantine: Annotated[Quarantine, Meta(description="When it is left out for a while.")] = Quarantine()
    config: Annotated[
        dict[str, Any],
        Meta(description="The plugin's own settings.", extra={"deferred": True}),
    ] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What it is called, in messages, traces and overrides."""
        return str(self.name or self.use)  # a plain one: labels are told as JSON
