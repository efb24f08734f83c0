"""Emulated speech and language-model providers, for demonstrations, tests and validation.

They speak each provider's wire format with real engines behind them, are as slow as told, and fail on demand. Never
imported when serving.
"""

from sidecar.lab.clock import Clock, ManualClock, SystemClock
from sidecar.lab.faults import Fault
from sidecar.lab.journal import Frame, Received
from sidecar.lab.lab import Lab
from sidecar.lab.server import EmulatedProvider

__all__ = ["Clock", "EmulatedProvider", "Fault", "Frame", "Lab", "ManualClock", "Received", "SystemClock"]
