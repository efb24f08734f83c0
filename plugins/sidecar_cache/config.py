"""How long and how much the cache keeps."""

from typing import Annotated

from msgspec import Meta

from sidecar import PluginConfig
from sidecar.units import Duration, Size


class CacheConfig(PluginConfig, frozen=True):
    """The cache is in memory; it is empty after a restart."""

    ttl: Annotated[Duration, Meta(description="How long an answer is given again.")] = Duration("1h")
    max_memory: Annotated[
        Size, Meta(description="What all answers together may hold; the ones not asked for longest go first.")
    ] = Size("64MiB")
    max_entry: Annotated[Size, Meta(description="The largest answer that is kept.")] = Size("8MiB")
    max_request: Annotated[
        Size, Meta(description="The largest request that is looked up; larger ones stream past.")
    ] = Size("8MiB")
