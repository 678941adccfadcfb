"""The tokenizer of a GGUF model, rebuilt from the vocabulary that the file carries."""

from pathlib import Path
from typing import Any

from bot.models import gguf
from bot.models.extras import needs
from bot.models.tokens import ByteTokenizer, SectionedTokenizer

# How text is split into words before merging, by `tokenizer.ggml.pre`: the patterns of the models' own tokenizer.json.
# Only those that llama.cpp was seen to agree with; see tests/bot/test_models_gguf.py.
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
    "llama-bpe": (_LLAMA3,),
    "qwen2": (_LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),),
}
IGNORES_MERGES = {"llama-bpe"}  # a word that is a token needs no merges


def tokenizer(file: Path) -> SectionedTokenizer:
    """Return the model's own tokenizer, or a bound of it where it can't be rebuilt.

    Byte-level BPE of the kinds in SPLITS is exact, but for bytes that the vocabulary lacks (control characters), which
    count one though llama.cpp skips them. For every other kind UTF-8 bytes are counted: never too few for
    BPE and SentencePiece, but about four times too many for English, so that prompts get shorter than they could be.
    Text that looks like a special token counts as text, which is never less than the one token that llama.cpp makes
    of it. Raises WeightsError where `file` is no GGUF file, ExtraMissing without `tokenizers`.
    """
    told = gguf.metadata(file)
    kind = told.get("tokenizer.ggml.pre")
    if told.get("tokenizer.ggml.model") != "gpt2" or kind not in SPLITS:
        return ByteTokenizer()
    return BpeTokenizer(
        told["tokenizer.ggml.tokens"], told["tokenizer.ggml.merges"], SPLITS[kind], ignore_merges=kind in IGNORES_MERGES
    )


class BpeTokenizer(SectionedTokenizer):
    """Byte-level BPE as GPT-2 introduced it."""

    def __init__(
        self, tokens: list[str], merges: list[str], splits: tuple[str, ...], *, ignore_merges: bool = False
    ) -> None:
        with needs("local", "tokenizers"):
            from tokenizers import Regex, Tokenizer, models, pre_tokenizers
        # Vocabularies may lack bytes, such as control characters: llama.cpp skips them but merges nothing across them.
        missing = set(pre_tokenizers.ByteLevel.alphabet()).difference(tokens)
        vocabulary = {token: number for number, token in enumerate([*tokens, *sorted(missing)])}
        pairs: list[Any] = [tuple(merge.split(" ")) for merge in merges]
        self._tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=ignore_merges))
        words = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in splits]
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*words, to_bytes])

    def _size(self, section: str) -> int:
        return len(self._tokenizer.encode(section).ids)

    def _starts(self, section: str) -> list[int]:
        return [start for start, _ in self._tokenizer.encode(section).offsets]
