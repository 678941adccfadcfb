"""Models on this machine, with their real weights (downloaded once into the user's cache)."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from bot.apps.marks import plain
from bot.errors import ExtraMissing, ModelUnavailable, WeightsError
from bot.models import gguf, gguf_tokens, llama_server, weights
from bot.models.base import Finished, Message, Piece
from bot.models.extras import needs
from bot.models.local_chat import LocalChat
from bot.models.local_embedder import LocalEmbedder
from bot.models.tokens import ByteTokenizer

CONTROL = 3  # a token's type in GGUF
CACHE = Path(platformdirs.user_cache_dir("lorebot"))  # as wiring has it


@pytest.fixture(scope="module")
def chat_model() -> Path:
    return asyncio.run(weights.fetch(weights.CHAT, CACHE))


@pytest.fixture(scope="module")
def embedding_model() -> Path:
    return asyncio.run(weights.fetch(weights.EMBEDDING, CACHE))


@pytest.fixture
async def embedder(embedding_model: Path) -> AsyncIterator[LocalEmbedder]:
    embedder = LocalEmbedder(embedding_model)
    yield embedder
    await embedder.close()


@pytest.fixture
async def chat(chat_model: Path) -> AsyncIterator[LocalChat]:
    chat = LocalChat(chat_model, threads=1)
    yield chat
    await chat.close()


async def test_related_texts_have_near_vectors(embedder: LocalEmbedder) -> None:
    dog, puppy, bank = await embedder.embed(
        ["My dog is called Rex.", "Rex is my puppy's name.", "Interest rates rose."]
    )
    assert dog @ puppy > 0.8 > 0.6 > dog @ bank
    assert await embedder.dim() == len(dog) == 384


async def test_vectors_have_length_one_and_do_not_depend_on_their_company(embedder: LocalEmbedder) -> None:
    alone = await embedder.embed(["Hello"])
    together = await embedder.embed(["", "Hello", "a\ud800", "word " * 5000])
    assert (together[1] == alone[0]).all()
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(4))
    assert (await embedder.embed([])).shape == (0, 384)


async def test_embedding_prints_nothing(embedder: LocalEmbedder, capfd: pytest.CaptureFixture[str]) -> None:
    await embedder.embed(["Hello"])
    assert capfd.readouterr() == ("", "")


async def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    embedder = LocalEmbedder(tmp_path)
    with pytest.raises(WeightsError, match="LOREBOT_EMBED_MODEL"):
        await embedder.embed(["Hello"])
    (tmp_path / "config.json").write_text('{"hidden_size": 384}')
    with pytest.raises(WeightsError, match="LOREBOT_EMBED_MODEL"):
        await embedder.embed(["Hello"])
    await embedder.close()


async def test_the_local_model_answers_and_the_screen_stays_clean(
    chat: LocalChat, capfd: pytest.CaptureFixture[str]
) -> None:
    events = [event async for event in chat.stream([Message("user", "Say hello.")], max_tokens=8)]
    assert [type(event) for event in events[:-1]] == [Piece] * (len(events) - 1)
    assert isinstance(events[-1], Finished)
    assert events[-1].completion_tokens
    assert chat.name == "SmolLM2-135M-Instruct.Q4_1"
    assert chat.context_window == 8192
    assert capfd.readouterr() == ("", "")


async def test_closing_the_reply_frees_the_model_for_the_next(chat: LocalChat) -> None:
    async with aclosing(chat.stream([Message("user", "Tell a long story.")], max_tokens=4000)) as events:  # type: ignore[type-var]
        await anext(events)
    before = time.monotonic()
    events = chat.stream([Message("user", "Say hello.")], max_tokens=1)
    assert isinstance([event async for event in events][-1], Finished)
    assert time.monotonic() - before < 10


async def test_closing_amid_a_reply_does_not_wait_for_it(chat: LocalChat) -> None:
    async with aclosing(chat.stream([Message("user", "Tell a long story.")], max_tokens=4000)) as events:  # type: ignore[type-var]
        await anext(events)
        before = time.monotonic()
        await chat.close()
        assert time.monotonic() - before < 3


async def test_a_file_that_is_no_model_is_told(tmp_path: Path, chat_model: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"words")
    with pytest.raises(WeightsError, match="LOREBOT_CHAT_MODEL_PATH"):
        _ = LocalChat(file).context_window
    with chat_model.open("rb") as whole:
        file.write_bytes(whole.read(3_000_000))
    half = LocalChat(file)
    with pytest.raises(ModelUnavailable, match="LOREBOT_CHAT_MODEL_PATH"):
        await anext(aiter(half.stream([Message("user", "Hello")], max_tokens=1)))
    await half.close()


def test_a_program_that_ends_without_closing_ends_cleanly(chat_model: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from bot.models.base import Message
from bot.models.local_chat import LocalChat

async def main():
    chat = LocalChat(Path({str(chat_model)!r}), threads=1)
    async for _ in chat.stream([Message("user", "Tell a long story.")], max_tokens=4000):
        raise SystemExit(7)

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (7, b"")


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(ExtraMissing, match=r"pip install 'lorebot\[local\]'"), needs("local", "nothing"):
        import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401


class Llama:
    """llama.cpp's own tokenizer for the model in `file`."""

    def __init__(self, file: Path, address: str) -> None:
        self.file = file
        self._address = address

    def count(self, text: str, special: bool = False) -> int:
        return len(self.tokens(text, special))

    def tokens(self, text: str, special: bool = False) -> list[int]:
        body = json.dumps({"content": text, "parse_special": special}).encode()
        headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self._address}/tokenize", body, headers)
        with urllib.request.urlopen(asked, timeout=30) as said:
            tokens: list[int] = json.load(said)["tokens"]
            return tokens


def dressed(file: Path, kind: str, target: Path) -> Path:
    """Copy the model with another way to split words; its name makes up for the length, so that offsets hold."""
    content = file.read_bytes()
    name = b"Smollm2 135M 8k Lc100K Mix1 Ep2"
    new_name = b"x" * (len(name) + len("smollm") - len(kind))
    for old, new in ((b"smollm", kind.encode()), (name, new_name)):
        content = content.replace(_string(old), _string(new), 1)
    target.write_bytes(content)
    return target


def _string(text: bytes) -> bytes:
    """Return a string as GGUF writes it."""
    return len(text).to_bytes(8, "little") + text


@pytest.fixture(scope="module", params=sorted(gguf_tokens.SPLITS))
def llama(
    request: pytest.FixtureRequest, chat_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Llama]:
    file = dressed(chat_model, request.param, tmp_path_factory.mktemp("gguf") / f"{request.param}.gguf")
    serve = [sys.executable, "-P", llama_server.__file__]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        wanted = {"model": str(file), "name": "model", "key": "key", "threads": 1, "context": 512}
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        yield Llama(file, process.stdout.readline().strip())
    file.unlink()


TEXTS = [
    "Hello world, it's 12345 o'clock!",
    "  two  blanks \n\n\n and\ttabs \u00a0 \u3000x ",
    "Zürich, naïve café, Ελληνικά, русский, العربية, हिन्दी, 日本語, 한국어",
    "👩‍👩‍👧‍👦 \x00\x01\x7f\x85 \u200b\ufeff",
    "def f(x):\n    return {'a': [1, 2.5e-3]}  # ½ ² Ⅳ ١٢٣",
    "DON'T we'll I'VE 'tis ''quoted'' <|not special|>",
    "a" * 5000 + " " * 3000 + "\n" * 50,
]


def test_the_models_tokens_are_counted_exactly(llama: Llama) -> None:
    tokenizer = gguf_tokens.tokenizer(llama.file)
    assert [tokenizer.count(text) for text in TEXTS] == [llama.count(text) for text in TEXTS]


def test_control_characters_never_cost_more_than_counted(llama: Llama) -> None:
    text = "".join(f" {chr(code)}\n {chr(code)}!" for code in range(32))
    assert gguf_tokens.tokenizer(llama.file).count(text) >= llama.count(text)


def test_special_tokens_in_a_text_never_cost_more_than_counted(llama: Llama) -> None:
    text = "<|im_end|>\n<|im_start|>system\nx<file_sep>y <jupyter_code>" * 20
    assert gguf_tokens.tokenizer(llama.file).count(text) >= llama.count(text, special=True)


def test_no_special_token_of_the_model_stands_in_a_plain_text(llama: Llama) -> None:
    told = gguf.metadata(llama.file)
    kinds = zip(told["tokenizer.ggml.tokens"], told["tokenizer.ggml.token_type"], strict=True)
    special = {number: mark for number, (mark, kind) in enumerate(kinds) if kind == CONTROL}
    assert set(special.values()) >= {"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<file_sep>"}
    for number, mark in special.items():
        assert llama.tokens(mark, special=True) == [number]
    text = "".join(f"x{mark}{mark}\n" for mark in special.values())
    assert not set(llama.tokens(plain(text), special=True)) & set(special)
    assert llama.tokens(plain(text), special=True) == llama.tokens(plain(text))
    assert gguf_tokens.tokenizer(llama.file).count(plain(text)) == llama.count(plain(text), special=True)


def test_a_text_cut_to_fit_fits(llama: Llama) -> None:
    tokenizer = gguf_tokens.tokenizer(llama.file)
    for text in TEXTS:
        cut = tokenizer.cut(text, 30)
        assert text.startswith(cut)
        assert llama.count(cut) <= 30


def test_a_gguf_of_another_kind_is_counted_in_bytes(tmp_path: Path, chat_model: Path) -> None:
    other = dressed(chat_model, "exotic", tmp_path / "other.gguf")
    assert isinstance(gguf_tokens.tokenizer(other), ByteTokenizer)


def test_a_gguf_header_is_read_fast(chat_model: Path) -> None:
    before = time.monotonic()
    told = gguf.metadata(chat_model)
    gguf_tokens.tokenizer(chat_model)
    assert time.monotonic() - before < 3
    assert (told["general.architecture"], told["llama.context_length"]) == ("llama", 8192)
