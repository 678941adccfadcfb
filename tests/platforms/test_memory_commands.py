"""`lorebot memory ...` as people and scripts call it, and `/memory ...` in a conversation."""

import asyncio
import json

import pytest

from memory.server import EmbeddedServer
from tests.platforms.conftest import saying
from tests.platforms.home import Home


def line(number: int, text: str, person: str = "ada", **more: object) -> dict[str, object]:
    return {
        "id": f"t{number}", "conversation": "main", "person": person, "author": person.title(), "role": "user",
        "text": text, "sent_at": f"2026-05-0{number}T12:00:00.000Z", "audience": "public", **more,
    }  # fmt: skip


TURNS = [
    line(1, "My dog is called Rex."),
    line(2, "My bank account is 12345.", "bob"),
    line(3, "The answer to that.", "lorebot", id="t2.reply", role="assistant", to="bob"),
    line(4, "I like tea.\n\nVery much: ☕ \u2028 \"quoted\"", status="cut"),
]  # fmt: skip


@pytest.fixture
async def told(home: Home) -> Home:
    """Import a file of turns."""
    home.file = home.folder / "turns.jsonl"
    home.file.write_text("".join(json.dumps(turn, ensure_ascii=False) + "\n" for turn in TURNS), encoding="utf-8")
    ran = await home.run("memory", "import", "--json", "turns.jsonl")
    assert json.loads(ran.out) == {"new": 4, "known": 0}
    return home


async def texts(home: Home) -> list[str]:
    return [turn["text"] for turn in json.loads((await home.run("memory", "list", "--json")).out)]


async def test_what_is_exported_imported_and_exported_again_is_the_same_to_the_byte(told):
    first = await told.run("memory", "export")
    assert first.out == told.file.read_text(encoding="utf-8")
    with_vectors = await told.run("memory", "export", "all.jsonl", "--vectors")
    assert with_vectors.err == "4 turns exported.\n"
    exported = (told.folder / "all.jsonl").read_bytes()
    assert exported.count(b'"vector": ') == 4
    assert (told.folder / "all.jsonl").stat().st_mode & 0o777 == 0o600
    ran = await told.run("memory", "forget", "--all", "--yes", "--json")
    assert json.loads(ran.out) == {"forgotten": 4, "trouble": ""}
    assert await texts(told) == []
    assert json.loads((await told.run("memory", "import", "-", "--json", given=exported)).out)["new"] == 4
    await told.run("memory", "export", "again.jsonl", "--vectors")
    assert (told.folder / "again.jsonl").read_bytes() == exported


async def test_an_export_does_not_write_over_a_file_unless_told(told):
    ran = await told.run("memory", "export", "turns.jsonl")
    assert (ran.code, "exists already" in ran.err) == (1, True)
    assert (await told.run("memory", "export", "turns.jsonl", "--force", "--person", "bob")).code == 0
    assert len(told.file.read_text(encoding="utf-8").splitlines()) == 2


async def test_turns_are_shown_whole_by_their_ids(told):
    listed = (await told.run("memory", "list", "--ids")).out
    assert "2026-05-01 12:00 Ada: My dog is called Rex.  [main/t1]" in listed
    assert "My dog is called Rex." in (await told.run("memory", "show", "t1")).out
    [shown] = json.loads((await told.run("memory", "show", "--json", "main/t4")).out)
    assert (shown["text"], shown["status"]) == (TURNS[3]["text"], "cut")
    ran = await told.run("memory", "show", "nowhere/t4")
    assert ran.code == 1
    assert "there is no turn nowhere/t4" in ran.err


async def test_forgetting_shows_what_would_go_and_asks(told):
    ran = await told.run("memory", "forget", "--person", "bob")
    assert ran.code == 2
    assert "- 2026-05-02 12:00 Bob: My bank account is 12345." in ran.err
    assert "Forget 2 turns, and what was answered to them, for good? Say so with --yes" in ran.err
    assert len(await texts(told)) == 4
    ran = await told.run("memory", "forget", "--person", "bob", "--yes")
    assert (ran.out, ran.code) == ("2 turns forgotten.\n", 0)
    assert await texts(told) == [TURNS[0]["text"], TURNS[3]["text"]]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["t2"], [0, 3]),
        (["--search", "bank account", "--person", "bob"], [0, 3]),
        (["--since", "2026-05-01", "--until", "2026-05-02"], [1, 2, 3]),
        (["--conversation", "work"], [0, 1, 2, 3]),
    ],
)
async def test_turns_are_forgotten_by_id_search_and_time(told, options, left):
    await told.run("memory", "forget", *options, "--yes")
    assert await texts(told) == [TURNS[number]["text"] for number in left]


async def test_forgetting_needs_a_condition_and_a_moment_that_is_one(told):
    assert "say what to forget" in (await told.run("memory", "forget", "--yes")).err
    ran = await told.run("memory", "forget", "--since", "soon", "--yes")
    assert "'soon' is no moment" in ran.err
    assert len(await texts(told)) == 4


async def test_who_paused_is_answered_and_not_remembered(told, model):
    await told.run("memory", "pause")
    model.will(saying("Aha."))
    ran = await told.run("repl", given=b"My secret is safe.\n")
    assert (ran.out, ran.err.count("paused")) == ("Aha.\n", 1)
    assert len(await texts(told)) == 4
    await told.run("memory", "resume")
    model.will(saying("Aha."))
    await told.run("repl", given=b"My cat is black.\n")
    assert (await texts(told))[-2:] == ["My cat is black.", "Aha."]


async def test_turns_are_kept_for_as_long_as_is_said(told):
    assert (await told.run("memory", "retain")).out == "Turns are kept for ever.\n"
    ran = await told.run("memory", "retain", "1")
    assert (ran.code, "Forget 4 turns that are older" in ran.err) == (2, True)
    assert (await told.run("memory", "retain", "1", "--yes")).out == "Turns are kept for 1 day. 4 turns forgotten.\n"
    assert json.loads((await told.run("memory", "retain", "forever", "--json")).out)["days"] is None
    assert "number of days" in (await told.run("memory", "retain", "soon")).err


async def test_another_platforms_memory_is_taken_along_and_forgotten(told):
    await told.run("memory", "import", "turns.jsonl", "--tenant", "discord:1")
    assert (await told.run("memory", "export", "--tenant", "discord:1")).out == told.file.read_text(encoding="utf-8")
    await told.run("memory", "forget", "--all", "--yes", "--tenant", "discord:1")
    assert (await told.run("memory", "export", "--tenant", "discord:1")).out == ""
    assert len(await texts(told)) == 4


async def test_turns_of_another_platform_are_named_among_its_own(told):
    await told.run("memory", "import", "-", "--tenant", "discord:1", given=json.dumps(line(7, "Hi", id="t7")).encode())
    ran = await told.run("memory", "forget", "main/t1", "--yes", "--tenant", "discord:1")
    assert (ran.code, "there is no turn main/t1" in ran.err) == (1, True)
    ran = await told.run("memory", "forget", "--search", "Rex", "--yes", "--tenant", "discord:1")
    assert (ran.code, "--search finds turns of your own memory" in ran.err) == (2, True)
    assert (
        await told.run("memory", "forget", "main/t7", "--yes", "--tenant", "discord:1")
    ).out == "1 turn forgotten.\n"
    assert len(await texts(told)) == 4


async def test_memory_is_embedded_again_with_another_embedder(told, model):
    def other(*numbers: float):
        data = [{"index": at, "embedding": [number, 1.0]} for at, number in enumerate(numbers)]
        from tests.bot.model_server import Say

        return Say(body={"object": "list", "data": data, "model": "other"})

    told.settings |= {"LOREBOT_EMBEDDER": "openai", "LOREBOT_EMBED_MODEL": "other"}
    model.will(other(0.5))
    refused = await told.run("memory", "list")
    assert "lorebot memory reembed" in refused.err
    model.will(other(0.5), other(0.1, 0.2, 0.3, 0.4))
    ran = await told.run("memory", "reembed")
    assert ran.out.startswith("4 turns embedded. Memory is searched with other (2 dimensions, float16);")
    model.will(other(0.5), other(0.1))
    assert (await told.run("recall", "dog", "-k", "1")).out.startswith("- **")
    told.settings |= {"LOREBOT_EMBEDDER": "local"}
    del told.settings["LOREBOT_EMBED_MODEL"]
    assert json.loads((await told.run("memory", "reembed", "--json")).out)["embedded"] == 0
    assert len(await texts(told)) == 4


async def test_memory_is_managed_in_a_conversation(told):
    lines = [
        "/memory", "/memory search bank", "/memory forget 1", "no", "/memory list", "/memory forget 2", "yes",
        "/memory show all", "/memory forget person carol", "/memory export out.jsonl since 2026-05-03",
        "/memory pause", "/memory resume", "/memory retain", "/memory retain 1", "yes", "/memory import out.jsonl",
        "/memory forget", "/memory show 77",
    ]  # fmt: skip
    ran = await told.run("repl", given="\n".join(lines).encode())
    said = ran.out
    assert "- `/memory forget NUMBER…" in said
    assert "1 turn, and what was answered to it:" in said
    assert "Nothing was done." in ran.err
    assert "2 turns forgotten." in said
    assert f"**2026-05-01 12:00 Ada** in main, t1, whole\n\n{TURNS[0]['text']}" in said
    assert "There are no such turns; nothing is forgotten." in said
    assert "1 turn written to out.jsonl." in said
    assert "What you say is remembered again." in said
    assert "2 turns are older than that and would be forgotten." in said
    assert "Turns are kept for 1 day now. 2 turns forgotten." in said
    assert "1 turn remembered, 0 were known already." in said
    assert "say which turns: NUMBER…" in said
    assert "there is no turn 77" in said
    assert ran.code == 0


async def test_after_forgetting_nothing_of_it_can_be_shown_again(told, model):
    model.will(saying("It is 12345."))
    ran = await told.run("repl", given=b"What is the bank account?\n/memory forget person bob\nyes\n/why\n")
    assert ran.out.endswith("There is no answer yet to explain.\n")


async def test_anything_but_yes_leaves_memory_as_it_is_and_is_answered(told, model):
    model.will(saying("I see."))
    ran = await told.run("repl", given=b"/memory forget person bob\nYesterday it rained.\n")
    assert ran.out.endswith("I see.\n")
    assert "Nothing was done." in ran.err
    assert TURNS[1]["text"] in await texts(told)


async def test_a_bot_that_runs_forgets_what_another_process_forgets(told, model):
    talking = await told.start("repl")
    assert talking.stdin
    model.will(saying("Hello."))
    talking.stdin.write(b"Hello there\n")
    async with asyncio.timeout(30):
        assert talking.stdout
        assert await talking.stdout.readline() == b"Hello.\n"
        await told.run("memory", "forget", "--person", "bob", "--yes")
        model.will(saying("I don't know."))
        talking.stdin.write(b"What is the bank account of Bob?\n")
        assert await talking.stdout.readline() == b"I don't know.\n"
        talking.stdin.close()
        await talking.wait()
    assert "12345" not in json.dumps(model.seen[-1].body)


async def test_a_backup_of_a_running_server_is_restored_into_an_empty_folder(told):
    ran = await told.run("server", "backup", "monday.rdb")
    assert ran.out.startswith("monday.rdb holds ")
    assert "exists already" in (await told.run("server", "backup", "monday.rdb")).err
    assert "has a memory already" in (await told.run("server", "restore", "monday.rdb")).err
    before = await texts(told)
    await told.server.stop()
    told.settings["LOREBOT_DATA_DIR"] = str(told.folder / "restored")
    assert (await told.run("server", "restore", "monday.rdb")).code == 0
    assert await texts(told) == before
    await EmbeddedServer(told.folder / "restored" / "redis").stop()


async def test_a_redis_of_ones_own_is_not_taken_for_the_embedded_one_when_it_is_saved(home):
    home.settings["REDIS_URL"] = "redis://127.0.0.1:1"
    ran = await home.run("server", "backup", "monday.rdb")
    assert (ran.code, 'redis-cli -u "$REDIS_URL" --rdb monday.rdb' in ran.err) == (1, True)
    assert not (home.folder / "monday.rdb").exists()
