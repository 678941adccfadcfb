"""`lorebot repl` in a real terminal: keys go in, and what a person would see is read off the screen."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import sys
import termios
import unicodedata
from collections.abc import AsyncIterator, Callable

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import MessageTooLong
from bot.platforms.screens import clean
from bot.platforms.terminal import Terminal, scope
from bot.records import Incoming
from tests.bot.model_server import Say, chunk
from tests.platforms.conftest import saying
from tests.platforms.home import LOREBOT, Home

ENTER, ALT_ENTER, TAB, UP = "\r", "\x1b\r", "\t", "\x1b[A"
CTRL_C, CTRL_D = "\x03", "\x04"
THINKING = Say(events=(": wait\n\n",), then="hang")
COLOUR = re.compile(rb"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
# A session leader without a terminal makes its standard input the one that Ctrl-C comes from.
LAUNCH = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


def begun(text: str) -> Say:
    """Return an answer that begins and does not end."""
    return Say(events=(chunk(text),), then="hang")


class Emulator(pyte.HistoryScreen):
    """A screen that remembers what scrolled away and answers the programs that ask it something."""

    def __init__(self, columns: int, rows: int, answer: Callable[[bytes], object]) -> None:
        super().__init__(columns, rows, history=10_000, ratio=0.5)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Tty:
    """`lorebot` at a terminal of its own."""

    def __init__(self, home: Home, columns: int, rows: int) -> None:
        self._home = home
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (rows, columns))
        self.emulator = Emulator(columns, rows, lambda data: os.write(self._ours, data))
        self._stream = pyte.ByteStream(self.emulator)
        self.raw = b""

    async def start(self, *arguments: str) -> None:
        environment = {name: value for name, value in self._home.environment.items() if name != "COLUMNS"}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", LAUNCH, *LOREBOT, *arguments,
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            env=environment, cwd=self._home.folder, start_new_session=True,
        )  # fmt: skip
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        data = os.read(self._ours, 65536)
        self.raw += data
        self._stream.feed(data)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def press(self, keys: str | bytes) -> None:
        os.write(self._ours, keys if isinstance(keys, bytes) else keys.encode())

    async def say(self, text: str, until: str) -> None:
        """Type a line, and wait for what it brings and for the prompt."""
        self.press(text + ENTER)
        await self.shows(until)
        await self.asks()

    @property
    def lines(self) -> list[str]:
        """Everything shown, from the first line that scrolled away to the last on the screen."""
        above = ["".join(line[x].data for x in range(self.emulator.columns)) for line in self.emulator.history.top]
        return [line.rstrip() for line in [*above, *self.emulator.display]]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    async def shows(self, text: str) -> None:
        await self.comes(lambda: text in self.text)

    async def asks(self) -> None:
        """Wait for an empty prompt."""
        await self.comes(lambda: self.text.rpartition("\n")[2] == ">" and not self.echoes)

    async def comes(self, condition: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(20):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(f"this stayed on the screen:\n{self.text}")

    async def leaves(self) -> int:
        """Wait for the end and return the exit code."""
        return await asyncio.wait_for(self.process.wait(), 20)

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows keys itself, as it does for a shell's commands."""
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def cell(self, text: str) -> pyte.screens.Char:
        """Return the first character of this text on the screen, with its colours."""
        for y, line in enumerate(self.emulator.display):
            if text in line:
                return self.emulator.buffer[y][line.index(text)]
        raise AssertionError(f"{text} is not on the screen")


@pytest.fixture
async def opened(home) -> AsyncIterator[Callable]:
    """Open `lorebot repl` in a terminal and wait for its prompt."""
    ttys = []

    async def open_(columns: int = 80, rows: int = 24) -> Tty:
        tty = Tty(home, columns, rows)
        await tty.start("repl")
        ttys.append(tty)
        await tty.asks()
        return tty

    yield open_
    for tty in ttys:
        await tty.close()


async def remembered(home: Home) -> list[tuple[str, str]]:
    """Return the text and status of every turn."""
    return [(one["text"], one["status"]) for one in json.loads((await home.run("memory", "list", "--json")).out)]


async def test_a_dim_greeting_a_spinner_while_waiting_and_live_markdown(opened, model):
    tty = await opened()
    assert tty.text.startswith("Lorebot 0.1.0 · ada · conversation main · 0 turns remembered")
    assert b"\x1b[2mLorebot" in tty.raw
    model.will(THINKING)
    tty.press("Hello" + ENTER)
    await tty.comes(lambda: re.fullmatch("[\u2800-\u28ff]", tty.lines[tty.emulator.cursor.y]))
    tty.press(CTRL_C)
    await tty.shows("stopped")
    await tty.asks()
    model.will(begun("# Plan\n\nSome **bold**\n\n- one\n- two\n\n```python\ndef f(): ...\n```\n"))
    tty.press("More" + ENTER)
    await tty.shows("def f()")
    assert tty.cell("bold").bold
    assert tty.cell("Plan").bold
    assert tty.cell("def f()").fg != "default"
    assert " • one" in tty.lines
    assert "```" not in tty.text
    assert "Plan" in tty.lines  # at the left


async def test_an_answer_taller_than_the_screen_is_there_once_and_whole(opened, model):
    paragraphs = [f"Line {number} of it." for number in range(80)]
    code = [f"x{number} = {number}" for number in range(40)]
    answer = "\n\n".join(paragraphs) + "\n\n```python\n" + "\n".join(code) + "\n```\n\nThe end."
    tty = await opened()
    model.will(saying(*(answer[at : at + 30] for at in range(0, len(answer), 30))))
    await tty.say("Go on", until="The end.")
    told = [line.strip() for line in tty.lines]
    assert [line for line in told if line in {*paragraphs, *code}] == [*paragraphs, *code]
    assert told.count("The end.") == 1


async def test_the_tail_of_a_growing_answer_is_seen(opened, model):
    tty = await opened(rows=12)
    model.will(begun("\n\n".join(f"Line {number} of it." for number in range(80))))
    tty.press("Go on" + ENTER)
    await tty.shows("Line 79 of it.")
    tty.press(CTRL_C)
    await tty.shows("stopped")
    assert [line for line in tty.lines if line.startswith("Line")] == [f"Line {number} of it." for number in range(80)]


async def test_ctrl_c_stops_an_answer_at_once_and_half_of_it_is_remembered_as_cancelled(opened, home, model):
    tty = await opened()
    model.will(begun("Half an **answer**, then"))
    tty.press("Tell me" + ENTER)
    await tty.shows("Half an answer, then")
    tty.press(CTRL_C)
    await asyncio.wait_for(model.gone.wait(), 2)
    await tty.asks()
    assert tty.text.endswith("> Tell me\nHalf an answer, then\n\nstopped\n>")
    assert b"\x1b[2mstopped" in tty.raw
    model.will(saying("Whole."))
    await tty.say("Again", until="Whole.")
    tty.press(CTRL_D)
    assert await tty.leaves() == 0
    assert await remembered(home) == [
        ("Tell me", "whole"), ("Half an **answer**, then", "cancelled"), ("Again", "whole"), ("Whole.", "whole"),
    ]  # fmt: skip


async def test_what_is_typed_while_an_answer_comes_waits_for_the_next_prompt(opened, model):
    tty = await opened()
    model.will(begun("Thinking aloud"), saying("Yes?"))
    tty.press("One" + ENTER)
    await tty.shows("Thinking aloud")
    tty.press("Two" + ENTER)
    tty.process.send_signal(signal.SIGINT)  # the key would drop what was typed, as in a shell
    await tty.shows("Yes?")
    assert model.seen[-1].body["messages"][-1]["content"] == "Two"
    assert [line for line in tty.lines if "Thinking" in line or "Two" in line] == ["Thinking aloud", "> Two"]


async def test_ctrl_c_at_the_prompt_drops_what_is_typed_then_hints_then_leaves(opened, model):
    tty = await opened()
    tty.press("never mind")
    await tty.shows("> never mind")
    tty.press(CTRL_C)
    await tty.asks()
    assert "leaves" not in tty.text
    tty.press(CTRL_C)
    await tty.shows("Ctrl-C again or Ctrl-D leaves.")
    await tty.asks()
    tty.press(CTRL_C)
    assert await tty.leaves() == 0
    assert tty.echoes
    assert model.seen == []


async def test_ctrl_c_while_starting_leaves_with_130(home):
    tty = Tty(home, 80, 24)
    await tty.start("repl")
    await tty.comes(lambda: tty.raw)
    tty.press(CTRL_C)
    assert await tty.leaves() == 130
    assert "Traceback" not in tty.text
    await tty.close()


async def test_ctrl_d_leaves_and_the_history_is_there_after_a_restart_for_its_owner_alone(opened, home, model):
    model.will(saying("Noted."))
    tty = await opened()
    await tty.say("My dog is called Rex.", until="Noted.")
    tty.press(CTRL_D)
    assert await tty.leaves() == 0
    assert tty.echoes
    assert "Traceback" not in tty.text
    file = home.folder / "state" / "lorebot" / "history"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    tty = await opened()
    tty.press(UP)
    await tty.shows("> My dog is called Rex.")


async def test_without_a_place_for_the_history_the_conversation_goes_on(opened, home, model):
    home.settings["XDG_STATE_HOME"] = "/proc/nowhere"
    model.will(saying("Hello."))
    tty = await opened()
    assert "What you type is not kept for the next time: /proc/nowhere/lorebot/history" in tty.text
    await tty.say("Hi", until="Hello.")
    tty.press(UP)
    await tty.comes(lambda: tty.lines[tty.emulator.cursor.y] == "> Hi")


async def test_tab_completes_commands_and_tells_what_they_do(opened):
    tty = await opened()
    tty.press("/w" + TAB)
    await tty.shows("> /why")
    tty.press(CTRL_C + "/" + TAB)
    await tty.shows("/conversation")
    assert "what is remembered" in tty.text
    tty.press(CTRL_C + "/memory se" + TAB)
    await tty.shows("> /memory search")


async def test_a_message_may_have_several_lines_typed_or_pasted(opened, model):
    tty = await opened()
    model.will(saying("Thanks."))
    tty.press("one" + ALT_ENTER + "two")
    await tty.shows("> one\n  two")
    await tty.say("", until="Thanks.")
    assert model.seen[-1].body["messages"][-1]["content"] == "one\ntwo"
    tty.press("\x1b[200~three\r\nfour\nfive\x1b[201~")
    await tty.shows("> three\n  four\n  five")
    tty.press(ENTER)
    await tty.comes(lambda: len(model.seen) == 2)
    assert model.seen[-1].body["messages"][-1]["content"] == "three\nfour\nfive"


async def test_commands_answer_on_the_screen(opened, model):
    model.will(saying("Noted."))
    tty = await opened()
    await tty.say("/why", until="There is no answer yet to explain.")
    await tty.say("My cat is black", until="Noted.")
    await tty.say("/memory list", until="The last 2 of 2 turns:")
    assert re.search(r" 1 \d{4}-\d\d-\d\d \d\d:\d\d ada: My cat is black\n", tty.text)
    await tty.say("/help", until="• /quit: leave (or Ctrl-D)")
    tty.press("/quit" + ENTER)
    assert await tty.leaves() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_amid_an_answer_ends_in_good_order(opened, home, model, number):
    tty = await opened()
    model.will(begun("Half an answer"))
    tty.press("Tell me" + ENTER)
    await tty.shows("Half an answer")
    tty.process.send_signal(number)
    assert await tty.leaves() == 128 + number
    assert tty.echoes
    assert "Traceback" not in tty.text
    assert await remembered(home) == [("Tell me", "whole"), ("Half an answer", "cancelled")]


async def test_sigterm_at_the_prompt_ends_in_good_order(opened):
    tty = await opened()
    tty.process.send_signal(signal.SIGTERM)
    assert await tty.leaves() == 143
    assert tty.echoes
    assert "Traceback" not in tty.text


async def test_a_model_error_is_one_sentence_with_the_fix_and_the_turn(opened, model):
    model.will(Say(status=401, body={"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}))
    tty = await opened()
    await tty.say("Hello", until="(turn ")
    told = " ".join(tty.text.partition("> Hello\n")[2].split())
    assert re.fullmatch(r"http://\S+ refuses the key .*; set OPENAI_API_KEY \(turn [0-9A-Z]{26}\) >", told)
    tty.press(CTRL_D)
    assert await tty.leaves() == 0


async def test_no_color_is_honoured(opened, home, model):
    answer = "# Plan\n\n`code` and **bold**\n\n- one\n\n```python\ndef f(): ...\n```\n"
    home.settings["NO_COLOR"] = "1"
    model.will(saying(answer))
    tty = await opened()
    await tty.say("Hello", until="def f()")
    tty.press("/" + TAB)
    await tty.shows("/memory list")
    assert not COLOUR.search(tty.raw)
    del home.settings["NO_COLOR"]
    tty = await opened()
    await tty.say("Hello", until="def f()")
    assert COLOUR.search(tty.raw)


async def test_escape_sequences_of_models_memory_and_servers_do_not_reach_the_terminal(opened, home, model):
    evil = "\x1b]0;owned\x07 \x1b[2J \x9b31m \x1b]52;c;aGk=\x07 &#27;[2J \r\x08end"
    (home.folder / "turns.jsonl").write_text(
        json.dumps({"id": "1", "conversation": "main", "author": "a\x1b]0;x\x07", "text": evil, "sent_at": 1000})
    )
    await home.run("memory", "import", "turns.jsonl")
    tty = await opened()
    model.will(saying("Here: ", evil))
    await tty.say("Hello", until="Here:")
    model.will(Say(status=400, body={"error": {"message": evil}}))
    await tty.say("And now", until="refuses this prompt")
    for command in ("/why", "/memory list", "/memory search end", f"/user {evil}"):
        typed = "> " + command.partition("\x1b")[0].rstrip()
        await tty.say("\x1b[200~" + command + "\x1b[201~", until=typed)
    assert tty.emulator.title == ""
    assert "Lorebot 0.1.0" in tty.text
    for sequence in (b"\x1b]", b"\x1b[2J", "\x9b".encode(), b"\x07"):
        assert sequence not in tty.raw


async def test_escape_sequences_do_not_pass_through_a_pipe_either(home, model):
    model.will(saying("\x1b]0;owned\x07He", "llo\x1b[2J\tyou\r\n\x9b31m"), Say(status=400, body={"error": "\x1b[2Jno"}))
    ran = await home.run("repl", given=b"Hi\n/memory list\nHi\n")
    assert ran.out.startswith("]0;ownedHello[2J\tyou\n31m\n")
    assert not set(ran.out + ran.err) & {"\x1b", "\x07", "\x9b", "\r"}


@given(st.text())
def test_clean_text_keeps_everything_but_control_characters(text):
    kept = [char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc"]
    assert clean(text) == "".join(kept)


async def test_tags_are_shown_and_links_tell_where_they_lead(opened, model):
    model.will(saying("Use `std::map` or vector<int>, <b>not</b> [this](https://example.com/evil)."))
    tty = await opened(columns=100)
    await tty.say("Hello", until="Use")
    assert "Use std::map or vector<int>, <b>not</b> this (https://example.com/evil)." in tty.lines


async def test_wide_characters_and_emoji_keep_the_lines_in_order(opened, model):
    answer = "\n\n".join(f"{number} 日本語のテキスト 🎉 " * 6 for number in range(10, 30))
    tty = await opened(columns=41, rows=12)
    model.will(saying(*(answer[at : at + 20] for at in range(0, len(answer), 20))))
    await tty.say("こんにちは 🎉", until="29")
    told = "".join("".join(tty.text.partition("🎉\n")[2].split())).rstrip(">")
    assert told.replace("\x00", "") == "".join(answer.split())


async def test_a_very_narrow_terminal_shows_everything(opened, model):
    tty = await opened(columns=20, rows=10)
    model.will(saying("One two three four five six seven eight.\n\n- nine\n- ten\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"))
    await tty.say("A question longer than a line", until="1  2")
    assert "One two three four\nfive six seven\neight." in tty.text
    tty.press("/" + TAB)
    await tty.shows("/memory")
    assert "Traceback" not in tty.text


async def test_ctrl_c_ends_a_pipe_with_130_though_its_input_stays_open(home, model):
    model.will(begun("Half"))
    process = await home.start("repl")
    process.stdin.write(b"Tell me\n")
    assert await asyncio.wait_for(process.stdout.readexactly(4), 20) == b"Half"
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 20) == 130
    assert b"Traceback" not in await process.stderr.read()
    assert await remembered(home) == [("Tell me", "whole"), ("Half", "cancelled")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_a_pipe_that_waits_for_a_line(home, model, number, code):
    model.will(saying("Hello."))
    source, pipe = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *LOREBOT, "repl", stdin=source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=home.environment, cwd=home.folder,
    )  # fmt: skip
    os.write(pipe, b"Hi\n")
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"Hello.\n"
    os.write(pipe, b"half a li")
    async with asyncio.timeout(20):
        while any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))):  # until it is read, and the rest waited for
            await asyncio.sleep(0.01)
    process.send_signal(number)
    try:
        assert await asyncio.wait_for(process.wait(), 10) == code
        told = await process.stderr.read()
        assert b"Traceback" not in told
        assert b"Fatal" not in told
    finally:
        os.close(pipe)
        os.close(source)


class Heard:
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)

    say = note

    def answer(self) -> "Heard":
        return self

    def __enter__(self) -> "Heard":
        return self

    def __exit__(self, *error: object) -> None: ...


class Choosy:
    """An engine, and its inbox, with a message left from last time that it will never take."""

    @property
    def inbox(self):
        return self

    async def unfinished(self, tenant):
        return [Incoming("1", scope("ada", "main"), "ada", "Very long", 1)]

    async def owing(self, tenant):
        return True

    async def reply(self, incoming):
        raise MessageTooLong("too long; shorten it")
        yield


async def test_an_unanswered_message_that_cannot_be_answered_does_not_keep_anybody_out():
    async def lines() -> AsyncIterator[str]:
        yield "Hello"
        yield "/user"

    screen = Heard()
    await Terminal(Choosy(), None, screen, scope("ada", "main"), "UTC").hold(lines())
    assert screen.told == [
        "You were not answered last time: Very long",
        "too long; shorten it",
        "too long; shorten it",  # Hello
        "You are ada. `/user NAME` changes that.",
    ]
