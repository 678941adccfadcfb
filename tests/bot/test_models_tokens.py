"""Counting and cutting: exact for every ordinary text, a bound for the rest, and never an exception."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.models.openai_tokens import TiktokenTokenizer
from bot.models.tokens import ByteTokenizer, SectionedTokenizer
from bot.models.windows import context_window

O200K = TiktokenTokenizer.for_model("gpt-4o")
TEXTS = st.text() | st.text("ab \n😀é<|>endoftx\ud800'1").map(lambda text: text * 3)
HOSTILE = [" ", "a", "\n", "\t", "\u00a0", "😀", "中", "ab", "!", "\u0301", " \n", "x ", "\ud800", "<|endoftext|>"]


def test_tokens_are_counted_as_the_model_does() -> None:
    assert O200K.count("hello world") == 2
    assert O200K.cut("hello world", 1) == "hello"


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("my-azure-deployment", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("davinci", "o200k_base"),
    ],
)
def test_a_name_that_is_unknown_gets_the_newest_encoding(model: str, encoding: str) -> None:
    assert TiktokenTokenizer.for_model(model).name == encoding


def test_what_looks_like_a_special_token_is_text() -> None:
    assert O200K.count("<|endoftext|>") > 1


@given(TEXTS, st.integers(0, 20))
def test_a_cut_text_begins_the_text_and_fits(text: str, tokens: int) -> None:
    for tokenizer in (O200K, ByteTokenizer()):
        cut = tokenizer.cut(text, tokens)
        assert text.startswith(cut)
        assert tokenizer.count(cut) <= tokens
        assert cut == text or tokens < tokenizer.count(text)


@given(TEXTS)
def test_a_text_that_fits_is_not_cut(text: str) -> None:
    assert O200K.cut(text, O200K.count(text)) == text


@given(TEXTS)
def test_bytes_bound_every_tokenizer(text: str) -> None:
    assert ByteTokenizer().count(text) >= O200K.count(text)


def test_a_cut_never_splits_a_character() -> None:
    family = "👩‍👩‍👧‍👦" * 5
    assert [O200K.cut(family, tokens).count("\ufffd") for tokens in range(40)] == [0] * 40


@pytest.mark.parametrize("unit", HOSTILE)
def test_megabytes_of_one_thing_are_counted_in_time(unit: str) -> None:
    text = (unit * 1_000_000)[:1_000_000]
    before = time.monotonic()
    count = O200K.count(text)
    cut = O200K.cut(text, 1000)
    assert time.monotonic() - before < 5
    assert 0 < O200K.count(cut) <= 1000 < count


def test_long_texts_are_counted_exactly_in_sections() -> None:
    text = "Ada said: it's 12345 o'clock \n\n and  left!  " * 5_000  # 220,000 characters
    whole = sum(O200K.count(part) for part in [text[:99_000], text[99_000:]])
    assert O200K.count(text) == pytest.approx(whole, abs=2)
    assert len(O200K.cut(text, O200K.count(text) // 2)) == pytest.approx(len(text) / 2, rel=0.01)


class Letters(SectionedTokenizer):
    """One token a letter."""

    def _size(self, section: str) -> int:
        return len(section)

    def _starts(self, section: str) -> list[int]:
        return list(range(len(section)))


@given(st.integers(0, 250_000), st.integers(0, 250_000))
def test_sections_lose_nothing(length: int, tokens: int) -> None:
    text = ("many words " * 23_000)[:length]
    assert Letters().count(text) == length
    assert Letters().cut(text, tokens) == text[:tokens]


def test_tiktokens_folder_is_the_users_where_one_is_set(tmp_path: Path) -> None:
    program = (
        "from bot.models.openai_tokens import TiktokenTokenizer as T; print(T.for_model('gpt-4').count('hello world'))"
    )
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    url = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
    assert told.stdout == "2\n"
    assert [file.name for file in tmp_path.iterdir()] == [hashlib.sha1(url.encode()).hexdigest()]


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("gpt-4o-mini", 128_000),
        ("ft:gpt-3.5-turbo:acme::1", 16_385),
        ("openai/gpt-4.1", 1_000_000),
        ("gpt-4", 8_192),
        ("llama", 8_192),
    ],
)
def test_the_context_window_is_told_by_the_names_beginning(model: str, window: int) -> None:
    assert context_window(model) == window
