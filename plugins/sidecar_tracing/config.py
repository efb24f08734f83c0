"""What can be configured of tracing. What is not given comes from OpenTelemetry's own environment variables."""

from typing import Annotated, Literal

from msgspec import Meta, field

from sidecar import PluginConfig
from sidecar.provider import Secret
from sidecar.units import Duration


class TracingConfig(PluginConfig, frozen=True):
    """Where traces go and what is in them."""

    endpoint: Annotated[
        str | None,
        Meta(
            description="Where the collector takes traces: http://collector:4318/v1/traces, or http://collector:4317 "
            "for grpc. null: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT, or this machine."
        ),
    ] = None
    protocol: Annotated[
        Literal["http/protobuf", "grpc"] | None,
        Meta(description="null: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL, or http/protobuf."),
    ] = None
    headers: Annotated[
        dict[str, Secret],
        Meta(description="Sent to the collector with every batch: authorization: ${env:OTLP_TOKEN}."),
    ] = field(default_factory=dict)
    compression: Annotated[
        Literal["none", "gzip"] | None, Meta(description="null: OTEL_EXPORTER_OTLP_COMPRESSION, or none.")
    ] = None
    timeout: Annotated[
        Duration | None,
        Meta(
            description="How long the collector may take for a batch. null: OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, "
            "OTEL_EXPORTER_OTLP_TIMEOUT, or 3s."
        ),
    ] = None
    delay: Annotated[Duration, Meta(description="How long a call waits for others to be sent with it.")] = Duration(
        "1s"
    )
    batch_calls: Annotated[int, Meta(ge=1, le=4096, description="How many calls are sent at a time.")] = 512
    queue_calls: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Calls that may wait to be sent; further ones are dropped and counted."),
    ] = 4096
    service_name: Annotated[
        str | None, Meta(description="service.name of the resource. null: OTEL_SERVICE_NAME, or agent-sidecar.")
    ] = None
    resource: Annotated[
        dict[str, str], Meta(description="Further attributes of the resource, beside OTEL_RESOURCE_ATTRIBUTES.")
    ] = field(default_factory=dict)
    sample: Annotated[
        float,
        Meta(ge=0.0, le=1.0, description="The share of calls that is exported; decided when they are over."),
    ] = 1.0
    keep_failed: Annotated[
        bool, Meta(description="Whether failed, cancelled, repeated and faulty calls are exported whatever the share.")
    ] = True
    genai: Annotated[
        bool,
        Meta(description="Whether there is a gen_ai span per provider call. false where the agent makes them itself."),
    ] = True
