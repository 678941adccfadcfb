"""Transport compression: one stream a connection, flushed after every frame."""

import importlib
import zlib
from collections.abc import Callable

Compress = Callable[[str], str | bytes]


def compressor(kind: str | None) -> Compress:
    """Return what makes frames of texts: `zlib-stream`, `zstd-stream` or None for plain JSON.

    discord.py asks for zstd wherever the package zstandard is installed; then it is here too. Raises ImportError.
    """
    if kind is None:
        return lambda text: text
    if kind == "zlib-stream":
        stream = zlib.compressobj()
        return lambda text: stream.compress(text.encode()) + stream.flush(zlib.Z_SYNC_FLUSH)
    zstandard = importlib.import_module("zstandard")
    frames = zstandard.ZstdCompressor().compressobj()
    return lambda text: frames.compress(text.encode()) + frames.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
