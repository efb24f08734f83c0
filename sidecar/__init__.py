"""A sidecar proxy for AI agents. What a plugin may import stands here; nothing else is a promise."""

from typing import Final

__version__: Final = "0.1.0"
