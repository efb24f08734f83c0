"""OpenTelemetry's own OTLP exporters as the way out: their endpoints, credentials, retries and environment variables.

They are given batches that are encoded already, which they have no public entrance for; what is used instead is named
here alone, and ``tests/plugins/test_tracing_exporter.py`` holds the installed version to it. Importing them takes a
third of a second and tens of MiB, gRPC twice that: hence late, and only what is configured.
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Final

from sidecar_tracing.config import TracingConfig

Export = Callable[[bytes], bool]

_PROTOCOLS: Final = ("http/protobuf", "grpc")
#: What the stock exporters give a batch, 10 s, is long for whoever waits for this process to end.
_TIMEOUT_SECONDS: Final = 3.0


class NotTaken(Exception):
    """A batch has not arrived; the message says where and why."""


class Exporter:
    """``connect`` makes the stock exporter and returns what sends a batch; ``disconnect`` ends it."""

    def __init__(self, config: TracingConfig, environ: Mapping[str, str] = os.environ) -> None:
        self._config = config
        self._environ = environ
        self._shutdown: Callable[[], None] | None = None

    @property
    def protocol(self) -> str:
        return self._config.protocol or self._variable("PROTOCOL") or _PROTOCOLS[0]

    def connect(self) -> Export:
        """
        Raises:
            ValueError: OpenTelemetry's variables ask for what is not spoken here.
        """
        if self.protocol not in _PROTOCOLS:
            raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {self.protocol}; expected {' or '.join(_PROTOCOLS)}")
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # our own health line says it, once
        return self._grpc() if self.protocol == "grpc" else self._http()

    def disconnect(self) -> None:
        shutdown, self._shutdown = self._shutdown, None
        if shutdown is not None:
            shutdown()

    def _variable(self, name: str) -> str:
        """OpenTelemetry's variable *name* for traces, or for all signals; an empty one is none."""
        for prefix in ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"):
            if value := self._environ.get(prefix + name, "").strip():
                return value
        return ""

    def _timeout_seconds(self) -> float | None:
        """None leaves it to the stock exporter, which reads its variables."""
        if self._config.timeout is not None:
            return self._config.timeout
        return None if self._variable("TIMEOUT") else _TIMEOUT_SECONDS

    def _headers(self) -> dict[str, str] | None:
        """In lower case: gRPC refuses any other."""
        return {name.lower(): secret.reveal for name, secret in self._config.headers.items()} or None

    def _http(self) -> Export:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        config = self._config
        exporter = OTLPSpanExporter(
            endpoint=config.endpoint,
            headers=self._headers(),
            timeout=self._timeout_seconds(),
            compression={None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}[config.compression],
        )
        self._shutdown = exporter.shutdown

        def export(data: bytes) -> bool:
            said = exporter._client.export(data)
            if not said.success:
                why = " ".join(str(part) for part in (said.status_code, said.reason or said.error) if part)
                raise NotTaken(f"{exporter._endpoint}: {why or 'no answer in time'}")
            return True

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
            timeout=self._timeout_seconds(),
            compression={None: None, "none": Compression.NoCompression, "gzip": Compression.Gzip}[config.compression],
        )
        self._shutdown = exporter.shutdown

        def export(data: bytes) -> bool:
            if exporter._export(data) is not SpanExportResult.SUCCESS:  # type: ignore[arg-type]
                raise NotTaken(f"{exporter._endpoint}, asked by grpc")
            return True

        return export
