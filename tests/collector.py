"""The lab's collector, for tests."""

from sidecar.lab.collector import Collector, Told, collecting, collecting_by_grpc, values

__all__ = ["Collector", "Told", "collecting", "collecting_by_grpc", "values"]
