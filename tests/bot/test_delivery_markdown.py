"""Code stays code in every message, as those read it who show it: CommonMark's parser, and Discord's rule."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.delivery.parts import Limit
from bot.delivery.split import split

COMMONMARK = st.sampled_from([Limit(100), Limit(150, wide=2), Limit(300)])
DISCORDS = st.sampled_from([Limit(size, fences_anywhere=True) for size in (100, 150, 300)])

PARSER = MarkdownIt("commonmark").enable("table")
# https://github.com/discordapp/SimpleMarkdown is what Discord's client is built on; its rule for code:
BLOCK = re.compile(r"```(?:([a-z0-9_+\-.#]+?)\n)?\n*([^\n].*?)\n*```", re.IGNORECASE | re.DOTALL)

WORDS = [
    *["word", "A sentence ends.", "`code`", "**bold words**", "[a link](https://example.org/x)", "https://a.b/c"],
    *["*", "_", "|", "日本語。", "👩\u200d👩\u200d👧", "\u202b\u05d0\u05d1\u202c", "\u200f", "e\u0301", "x" * 120],
]
PROSE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=20).map(" ".join)
LINES = [
    *["x = 1", "    return x", "", "# a comment that is rather long", "- item", "> quote", "| a | b |", "    "],
    *["\tindented", "1. one", "|---|---|", "[a](b", "**", "$(a)"],
]
TICKS = ["print('`')", "```inner", "~~~", "``` x"]
TABLE = st.integers(0, 8).map(lambda rows: "| name | age |\n|---|---|\n" + "| somebody | 33 |\n" * rows)


@st.composite
def fenced(draw: Callable) -> str:
    """A block of code as CommonMark has it, which nothing in it closes."""
    run = draw(st.sampled_from(["```", "````", "~~~", "`````"]))
    info = draw(st.sampled_from(["", "py", " py", "python title=x", "c++", "{.sh}"]))
    lines = draw(st.lists(st.sampled_from([*LINES, *TICKS]), max_size=20))
    return "\n".join([run + info, *(line for line in lines if not _closes(line, run)), run])


def _closes(line: str, run: str) -> bool:
    return len(line.strip()) >= len(run) and not line.strip().strip(run[0])


def item(mark: str, body: str) -> str:
    """A list's item."""
    return mark + body.replace("\n", "\n" + " " * len(mark))


ITEM = st.builds(item, st.sampled_from(["- ", "* ", "1. "]), PROSE | fenced())
QUOTE = (PROSE | fenced()).map(lambda body: "> " + body.replace("\n", "\n> "))
DOCUMENT = st.builds(
    lambda blocks, ending: "\n\n".join(blocks).replace("\n", ending),
    st.lists(PROSE | fenced() | ITEM | QUOTE | TABLE | PROSE.map(lambda text: f"## {text}"), min_size=1, max_size=7),
    st.sampled_from(["\n", "\r\n"]),
)

ON_DISCORD = st.lists(
    PROSE
    | TABLE
    | st.builds(
        lambda lead, language, lines, end: f"{lead}```{language}\nx\n" + "\n".join(lines) + end,
        st.sampled_from(["", "", "Look: ", "1. Do `this`: ", "   ", "- "]),
        st.sampled_from(["", "py", "c++"]),
        st.lists(st.sampled_from(LINES), max_size=20),
        st.sampled_from(["\n```", "\n```", "```", "\n``` and so on", "``` and so on", "\n   ```"]),
    ),
    min_size=1,
    max_size=7,
).map("\n\n".join)


def by_commonmark(text: str) -> str:
    """Return what stands in code blocks, without blanks."""
    return "".join("".join(token.content.split()) for token in PARSER.parse(text) if token.type == "fence")


def by_discord(text: str) -> str:
    """Return what stands in code blocks, without blanks."""
    return "".join("".join(found[2].split()) for found in BLOCK.finditer(text))


@given(DOCUMENT, COMMONMARK)
@settings(max_examples=400, deadline=None)
def test_code_is_code_in_every_part_by_commonmark(text, limit):
    parts = [part.shown for part in split(text, limit)]
    assert "".join(map(by_commonmark, parts)) == by_commonmark(text)


@given(ON_DISCORD, DISCORDS)
@settings(max_examples=400, deadline=None)
@example("Look: ```py\n" + "x = 1\n" * 30 + "```", Limit(100, fences_anywhere=True))
@example("```py\n" + "x = 1\n" * 30 + "x = 2```\n\n" + "word " * 60, Limit(100, fences_anywhere=True))
@example("```\n" + "x\n" * 40 + "``` and so on\n\n```\nx\n```", Limit(100, fences_anywhere=True))
def test_code_is_code_in_every_part_on_discord(text, limit):
    parts = [part.shown for part in split(text, limit)]
    assert "".join(map(by_discord, parts)) == by_discord(text)
    assert max(map(len, parts)) <= limit.characters


def test_code_that_begins_amid_a_line_is_opened_again_in_its_language():
    text = "Do this: ```py\n" + "x = 1\n" * 30 + "```"
    first, *others = [part.shown for part in split(text, Limit(100, fences_anywhere=True))]
    assert first == "Do this: ```py\n" + "x = 1\n" * 13 + "```"
    assert all(part.startswith("```py\nx = 1") and part.endswith("```") for part in others)


@pytest.mark.parametrize(
    "one",
    [
        "🇩🇪",
        "👩\u200d👩\u200d👧\u200d👦",
        "1\ufe0f\u20e3",
        "👍🏽",
        "각",
        "e\u0301\u0323",
        "क्षि",
        "🏴\U000e0067\U000e0062\U000e007f",
    ],
)
@pytest.mark.parametrize("before", range(4))
def test_a_word_of_nothing_but_what_people_see_as_one_character_is_cut_between_them(one, before):
    text = "x" * before + one * (400 // len(one))
    parts = [part.shown for part in split(text, Limit(100))]
    assert "".join(parts) == text
    assert [part for part in parts if len(part.removeprefix("x" * before)) % len(one)] == []
