"""Models that run for ever: one stream, a pool of many, and their states as bytes."""

from recurra.stream.layers import LayerPool
from recurra.stream.pool import StreamPool
from recurra.stream.stream import Stream

__all__ = ["LayerPool", "Stream", "StreamPool"]
