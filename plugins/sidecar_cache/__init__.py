"""Answers a call again without asking the provider again."""

from sidecar_cache.config import CacheConfig
from sidecar_cache.plugin import Cache

__all__ = ["Cache", "CacheConfig"]
