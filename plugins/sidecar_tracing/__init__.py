"""Every call as an OTLP trace that says what was done and why."""

from sidecar_tracing.config import TracingConfig
from sidecar_tracing.plugin import Tracing

__all__ = ["Tracing", "TracingConfig"]
