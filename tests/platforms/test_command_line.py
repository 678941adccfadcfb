"""`lorebot` as people and scripts call it: pipes, JSON, exit codes, clear errors."""

import asyncio
import json
import re
import sys

import pytest
from click.testing import CliRunner

from bot.cli import group
from bot.errors import ExtraMissing
from memory import binary
from tests.bot.data_sets import TURN, haystack, jsonl, longmemeval_file
from tests.bot.model_server import Say
from tests.platforms.conftest import saying


async def test_a_line_from_a_pipe_is_a_turn_and_only_answers_go_to_standard_output(home, model):
    model.will(saying("Nice", " to meet you."), saying("Rex."))
    ran = await home.run("repl", given=b"My dog is called Rex.\nWhat is my dog called?\n")
    assert ran.out == "Nice to meet you.\nRex.\n"
    assert "0 turns remembered" in ran.err
    assert ran.code == 0


async def test_what_was_said_is_known_after_a_restart(home, model):
    model.will(saying("Noted."))
    await home.run("repl", given=b"My dog is called Rex.\n/new\n")
    model.will(saying("Rex."))
    ran = await home.run("repl", given=b"What is my dog called?\n/why\n")
    assert "My dog is called Rex." in model.seen[-1].body["messages"][-1]["content"]
    assert "ada: My dog is called Rex." in ran.out
    assert "2 turns remembered" in ran.err


async def test_commands_work_from_a_pipe(home, model):
    model.will(saying("Noted."))
    lines = [
        b"/memory list", b"My cat is black", b"/memory search cat", b"/user bob", b"/memory list", b"/user ada",
        b"/conversation work", b"/memory list", b"/nonsense", b"/quit", b"never",
    ]  # fmt: skip
    ran = await home.run("repl", given=b"\n".join(lines))
    told = ran.out.splitlines()
    assert told[0] == "Nothing is remembered here yet."
    assert told[1] == "Noted."
    assert "ada: My cat is black (vector 1.00" in told[2]
    after = told[told.index("You are bob now.") :]
    assert after[1] == "Nothing is remembered here yet."
    assert "The last 2 of 2 turns:" in ran.out
    assert "There is no command `/nonsense`." in ran.out
    assert len(model.seen) == 1


async def test_ask_prints_the_answer_alone(home, model):
    model.will(saying("Forty", "-two."))
    ran = await home.run("ask", "What is the answer?")
    assert (ran.out, ran.err, ran.code) == ("Forty-two.\n", "", 0)


async def test_ask_takes_what_is_piped_in(home, model):
    model.will(saying("A list."))
    await home.run("ask", "Summarise this", given="milk\nbread ☕\n".encode())
    assert model.seen[0].body["messages"][-1]["content"] == "Summarise this\n\nmilk\nbread ☕"


async def test_ask_as_json_tells_what_the_answer_was_made_from(home, model):
    model.will(saying("Noted."), saying("Rex."))
    await home.run("repl", given=b"My dog is called Rex.\n/new\n")
    found = json.loads((await home.run("ask", "--json", "What is my dog called?")).out)
    assert set(found) == {"answer", "turn_id", "model", "recalled", "recent", "tokens"}
    assert (found["answer"], found["recent"]) == ("Rex.", [])
    first = found["recalled"][0]
    assert first["text"] == "My dog is called Rex."
    assert {"id", "text", "author", "sent_at", "score", "signals"} <= set(first)
    assert found["tokens"] == {"prompt": 7, "completion": 2, "budget": 6000}


async def test_recall_needs_no_model(home, model):
    home.settings["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    (home.folder / "turns.jsonl").write_text(
        "".join(
            json.dumps({"id": str(n), "conversation": "c", "author": "Ada", "text": text, "sent_at": n * 1000}) + "\n"
            for n, text in enumerate(["I moved to Kyoto.", "The piano is out of tune."])
        )
    )
    ran = await home.run("memory", "import", "turns.jsonl")
    assert ran.out == "2 turns remembered, 0 were known already.\n"
    found = json.loads((await home.run("recall", "Where do I live?", "-k", "1", "--json")).out)
    assert [one["text"] for one in found] == ["I moved to Kyoto."]
    listed = json.loads((await home.run("memory", "list", "--json")).out)
    assert [one["id"] for one in listed] == ["0", "1"]


async def test_recall_finds_what_an_answer_there_would_be_given(home, model):
    model.will(saying("Noted."))
    await home.run("ask", "My dog is called Rex.")
    found = json.loads((await home.run("recall", "dog", "--conversation", "other", "--json")).out)
    assert found[0]["text"] == "My dog is called Rex."
    assert json.loads((await home.run("memory", "list", "--conversation", "other", "--json")).out) == []


async def test_evaluation_prints_its_figures_and_writes_its_rows(home, locomo_file):
    ran = await home.run("eval", "locomo", str(locomo_file), "--json", "--out", "rows.jsonl")
    report = json.loads(ran.out)
    assert report["overall"]["recall@10"] == 1.0
    rows = [json.loads(line) for line in (home.folder / "rows.jsonl").read_text().splitlines()]
    assert [row["category"] for row in rows] == [4, 1, 5]
    assert json.loads((await home.run("memory", "list", "--json")).out) == []


async def test_evaluation_of_haystacks_shows_turns_and_sessions_and_draws_a_picture(home):
    longmemeval_file(home.folder, haystack("q1"), haystack("q2"), haystack("q3_abs"))
    drawn = ("--plot", "picture.png", "--out", "rows.jsonl")
    ran = await home.run("eval", "longmemeval", "longmemeval.json", *drawn)
    assert (ran.err, ran.code) == ("", 0)
    assert re.search(
        r"^ turns .* recall@10 .*^ overall +2 .*^ sessions .*^ overall +2 ", ran.out, re.DOTALL | re.MULTILINE
    )
    assert max(len(line) for line in ran.out.splitlines()) <= 100
    assert (home.folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    rows = [json.loads(line) for line in (home.folder / "rows.jsonl").read_text().splitlines()]
    assert [(row["conversation"], row["sessions"]["relevant"]) for row in rows] == [("q1", ["s2"]), ("q2", ["s2"])]
    found = json.loads((await home.run("eval", "longmemeval", "longmemeval.json", "--limit", "1", "--json")).out)
    assert found["sessions"]["overall"]["questions"] == found["overall"]["questions"] == 1


async def test_questions_of_ones_own_are_evaluated_and_two_runs_compared(home):
    asked = [{"question": f"Which pet is number {number}?", "relevant": [str(number)]} for number in range(3)]
    said = [{**TURN, "id": str(number), "text": f"Pet number {number} is a dog."} for number in range(3)]
    jsonl(home.folder, *said, *asked, {"question": "Good morning!", "relevant": []})
    ran = await home.run("eval", "questions", "mine.jsonl", "--out", "a.jsonl")
    assert "small talk: 1 asked, 0 turns recalled on average; none should be" in ran.out
    await home.run("eval", "questions", "mine.jsonl", "--out", "b.jsonl", "--limit", "2")
    ran = await home.run("eval", "compare", "a.jsonl", "b.jsonl")
    assert re.search(r"recall@10 +2 +1.000 +1.000 +\+0.000 +\+0.000 to \+0.000 +1.000", ran.out)
    assert "2 questions are in both; only in A: 2, only in B: 0" in ran.out
    found = json.loads((await home.run("eval", "compare", "b.jsonl", "a.jsonl", "--json")).out)
    assert (found["shared"], found["only_a"], found["only_b"]) == (2, 0, 2)
    assert found["metrics"]["mrr"] == {
        "questions": 2, "a": 1.0, "b": 1.0, "difference": 0.0, "interval": [0.0, 0.0], "p": 1.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        ("eval questions none.jsonl", "none.jsonl cannot be read: No such file", 1),
        ("eval questions mine.jsonl", "mine.jsonl, line 2: there is no turn 9", 1),
        ("eval locomo empty.json", "empty.json holds no question that can be asked", 1),
        ("eval locomo locomo.json --plot picture.gif", "must end in one of .png, .pdf, .svg", 2),
        ("eval locomo locomo.json --plot nowhere/picture.png", "can't be written to: No such file", 2),
        ("eval locomo locomo.json --out nowhere/rows.jsonl", "can't be written to: No such file", 2),
        ("eval locomo locomo.json --out ./locomo.json", "is what is read; give another name", 2),
        ("eval locomo locomo.json --limit 0", "--limit", 2),
        ("eval compare mine.jsonl mine.jsonl", "mine.jsonl, line 1: not a row", 1),
    ],
)
async def test_what_cannot_be_evaluated_is_said_before_anything_starts(home, locomo_file, words, told, code):
    jsonl(home.folder, TURN, {"question": "?", "relevant": ["9"]})
    (home.folder / "empty.json").write_text("[]")
    (home.folder / "locomo.json").write_bytes(locomo_file.read_bytes())
    ran = await home.run(*words.split())
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert (ran.out, ran.code) == ("", code)
    assert not (home.folder / "data").exists()


def test_a_picture_needs_matplotlib_and_says_so_before_the_run(tmp_path, locomo_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setenv("LOREBOT_DATA_DIR", str(tmp_path / "data"))
    ran = CliRunner().invoke(group, ["eval", "locomo", str(locomo_file), "--plot", str(tmp_path / "picture.png")])
    assert isinstance(ran.exception, ExtraMissing)
    assert str(ran.exception) == "matplotlib is not installed; run pip install 'lorebot[plot]'"
    assert list(tmp_path.glob("data")) == list(tmp_path.glob("picture.png")) == []


async def test_the_doctor_finds_everything_well(home, model):
    model.will(saying("Hello."))
    ran = await home.run("doctor", "--json")
    findings = {one["check"]: one["verdict"] for one in json.loads(ran.out)}
    assert set(findings.values()) == {"good"}, ran.out
    assert {"redis", "query engine", "persistence", "maxmemory-policy", "embedder", "chat model", "tokenizer"} <= set(
        findings
    )
    assert ran.code == 0


async def test_the_doctor_names_each_fix_and_swapped_tokens(home, model):
    model.will(Say(status=401, body={"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}))
    home.settings["LOREBOT_TREADS"] = "2"
    home.settings["LOREBOT_RERANKER"] = str(home.folder)
    home.settings |= {"SLACK_BOT_TOKEN": "xapp-secret", "SLACK_APP_TOKEN": "xoxb-secret", "OPENAI_API_KEY": "sk-secret"}
    ran = await home.run("doctor")
    assert "warn settings: LOREBOT_TREADS is no setting" in ran.out
    assert "BAD  SLACK_BOT_TOKEN: SLACK_BOT_TOKEN and SLACK_APP_TOKEN are swapped" in ran.out
    assert "OPENAI_API_KEY" in ran.out
    assert f"BAD  reranker: {home.folder} holds no reranking model; set LOREBOT_RERANKER" in ran.out
    assert "ok   embedder" in ran.out
    assert "secret" not in ran.out + ran.err
    assert ran.code == 1


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("REDIS_URL", "redis://127.0.0.1:9/0", "check that it runs and that REDIS_URL points to it"),
        ("REDIS_URL", "http://localhost", "REDIS_URL must begin with one of redis://"),
        ("LOREBOT_THREADS", "many", "LOREBOT_THREADS: "),
        ("LOREBOT_EMBED_MODEL", "/nowhere", "LOREBOT_EMBED_MODEL"),
        ("LOREBOT_RERANKER", "/nowhere", "LOREBOT_RERANKER: none, local, or a folder that is there"),
        ("LOREBOT_RERANKER", "/", "/ holds no reranking model; set LOREBOT_RERANKER"),
        ("LOREBOT_LLM", "azure", "AZURE_OPENAI_ENDPOINT is not set"),
        ("LOREBOT_DATA_DIR", "/proc/nowhere", "/proc/nowhere"),
    ],
)
async def test_a_wrong_setting_is_one_clear_sentence(home, setting, value, told):
    home.settings[setting] = value
    ran = await home.run("ask", "Hi!")
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert (ran.out, ran.code) == ("", 1)


async def test_a_model_error_is_told_and_the_message_kept(home, model):
    model.will(Say(status=404, body={"error": {"message": "no such model", "code": "model_not_found"}}))
    ran = await home.run("repl", given=b"My dog is called Rex.\n/memory list\n")
    assert "LOREBOT_CHAT_MODEL" in ran.err
    assert "My dog is called Rex." in ran.out
    assert ran.code == 1


async def test_bytes_that_are_no_text_are_refused_and_the_other_lines_answered(home, model):
    model.will(saying("Yes?"))
    ran = await home.run("repl", given=b"caf\xe9\nHello\n")
    assert "not UTF-8 (byte 0xe9 at 3)" in ran.err
    assert (ran.out, ran.code) == ("Yes?\n", 1)
    ran = await home.run("ask", given=b"caf\xe9")
    assert "standard input is not UTF-8" in ran.err
    assert ran.code == 1


async def test_a_file_that_cannot_be_read_is_named(home):
    ran = await home.run("memory", "import", "nothing.jsonl")
    assert "nothing.jsonl cannot be read: No such file or directory" in ran.err
    assert ran.code == 1


async def test_a_redis_without_the_query_engine_is_one_clear_sentence(home, tmp_path):
    plain = await binary.find()
    socket = home.folder / "plain.sock"
    process = await asyncio.create_subprocess_exec(
        str(plain.server), "--port", "0", "--unixsocket", str(socket), "--save", "", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        while not socket.exists():
            await asyncio.sleep(0.01)
        home.settings["REDIS_URL"] = f"unix://{socket}"
        ran = await home.run("ask", "Hi!")
        assert "this Redis has no query engine" in ran.err
        assert ran.code == 1
    finally:
        process.kill()
        await process.wait()


async def test_an_index_of_another_embedder_is_one_clear_sentence(home, model):
    model.will(saying("Noted."))
    await home.run("ask", "Hi!")
    home.settings |= {"LOREBOT_EMBEDDER": "openai", "LOREBOT_EMBED_MODEL": "other"}
    model.will(Say(body={"object": "list", "data": [{"index": 0, "embedding": [0.6, 0.8]}], "model": "other"}))
    ran = await home.run("ask", "Hi!")
    assert (
        "indexed with the embedder bge-small-en-v1.5-int8 (384 dimensions, float16), but the configured one is"
        in ran.err
    )
    assert "other (2 dimensions, float16); set it back" in ran.err
    assert ran.code == 1


async def test_a_key_set_later_changes_who_answers_and_keeps_the_memory(home, model):
    model.will(saying("Noted."))
    await home.run("ask", "My dog is called Rex.")
    del home.settings["LOREBOT_EMBEDDER"]
    home.settings["OPENAI_API_KEY"] = "sk-secret"
    model.will(saying("Rex."))
    found = json.loads((await home.run("ask", "--json", "--conversation", "other", "What is my dog called?")).out)
    assert found["recalled"][0]["text"] == "My dog is called Rex."


@pytest.mark.parametrize(
    "words",
    ["", "repl", "ask", "recall", "memory", "memory import", "memory list", "memory search", "memory show",
     "memory forget", "memory export", "memory pause", "memory resume", "memory retain", "memory reembed", "eval",
     "eval locomo", "eval longmemeval", "eval questions", "eval compare", "doctor", "server", "server status",
     "server stop", "server backup", "server restore", "weights", "discord", "discord-invite"],
)  # fmt: skip
def test_every_help_has_an_example(words):
    ran = CliRunner().invoke(group, [*words.split(), "--help"])
    assert "Example:" in ran.output
    assert ran.exit_code == 0


async def test_wrong_usage_exits_with_2(home):
    assert (await home.run("recall")).code == 2
    assert (await home.run("nonsense")).code == 2
    ran = await home.run("ask")
    assert "nothing is asked" in ran.err
    assert ran.code == 2


async def test_weights_are_learned_from_ones_own_questions(home):
    said = [{**TURN, "id": str(number), "text": f"Pet number {number} is a dog."} for number in range(3)]
    asked = [{"question": f"Which pet is number {number}?", "relevant": [str(number)]} for number in range(3)]
    jsonl(home.folder, *said, *asked)
    (home.folder / "other.jsonl").write_text((home.folder / "mine.jsonl").read_text())
    ran = await home.run("eval", "learn", "mine.jsonl", "other.jsonl", "--json")
    found = json.loads(ran.out)
    assert found["weights"]["vector"] > 0
    assert found["held_out"]["mine.jsonl"]["overall"]["recall@5"] == 1.0
