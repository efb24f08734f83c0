"""OpenTelemetry's own OTLP exporters as the way out: their endpoints, credentials, retries and environment variables.

They are given batches that are encoded already, which they have no public entrance for; what is used instead is named
here alone, and ``tests/plugins/test_tracing_exporter.py`` holds the installed version to it. Importing them takes a
third of a second and tens of MiB, gRPC twice that: hence late, and only what is configured.
"""

import logging
import os
from collections.abc import Callable, Mapping

from sidecar_tracing.config import TracingConfig

Export = Callable[[bytes], bool]


class Exporter:
    """``connect`` makes the stock exporter and returns what sends a batch; ``disconnect`` ends it."""

    def __init__(self, config: TracingConfig, environ: Mapping[str, str] = os.environ) -> None:
        self._config = config
        self._environ = environ
        self._shutdown: Callable[[], None] | None = None

    @property
    def protocol(self) -> str:
        environ = self._environ
        return (
            self._config.protocol
            or environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            or "http/protobuf"
        )

    def connect(self) -> Export:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # our own health line says it, once
        return self._grpc() if self.protocol == "grpc" else self._http()

    def disconnect(self) -> None:
        shutdown, self._shutdown = self._shutdown, None
        if shutdown is not None:
            shutdown()

    def _headers(self) -> dict[str, str] | None:
        return {name: secret.reveal for name, secret in self._config.headers.items()} or None

    def _http(self) -> Export:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        config = self._config
        exporter = OTLPSpanExporter(
            endpoint=config.endpoint,
            headers=self._headers(),
            timeout=config.timeout,
            compression={None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}[config.compression],
        )
        self._shutdown = exporter.shutdown

        def export(data: bytes) -> bool:
            return bool(exporter._client.export(data).success)

        return export

    def _grpc(self) -> Export:
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.sdk.trace.export import SpanExportResult

        class Encoded(OTLPSpanExporter):
            """Takes a batch as bytes where the stock one takes spans."""

            def _translate_data(self, data: bytes) -> ExportTraceServiceRequest:  # type: ignore[override]
                encoded: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(data)
                return encoded

            def _count_data(self, data: bytes) -> int:  # type: ignore[override]
                return 1

        config = self._config
        endpoint = config.endpoint
        exporter = Encoded(
            endpoint=endpoint,
            insecure=None if endpoint is None else not endpoint.startswith("https://"),
            headers=self._headers(),
            timeout=config.timeout,
            compression={None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}[config.compression],
        )
        self._shutdown = exporter.shutdown

        def export(data: bytes) -> bool:
            return exporter._export(data) is SpanExportResult.SUCCESS  # type: ignore[arg-type]

        return export
