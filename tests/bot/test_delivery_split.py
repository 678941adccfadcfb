"""Replies cut into messages: nothing lost, nothing broken, and what is finished stays."""

import re

import pytest
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.delivery.mentions import quiet_on_discord, quiet_on_slack
from bot.delivery.parts import DISCORD, SLACK, Limit
from bot.delivery.split import fit, split

SMALL = Limit(100)
COMMONMARK = st.sampled_from([SMALL, Limit(137, wide=2), Limit(400)])
LIMITS = COMMONMARK | st.sampled_from([Limit(100, fences_anywhere=True), Limit(260, fences_anywhere=True)])

WORDS = st.sampled_from(
    [
        *"a word, of some length. Another? Yes!".split(" "),
        *[
            "**bold words here**",
            "_so it is_",
            "`code with blanks`",
            "``a ` tick``",
            "~~gone~~",
            "||hidden||",
            "*",
            "`",
            "[",
        ],
        *["[a link](https://example.org/x_(y))", "![image](http://a.b/c)", "<@123456>", "<https://a.b|some words>"],
        *[
            "https://example.org/" + "long/" * 9,
            "x" * 150,
            "日本語の文章。とても長い。",
            "e\u0301",
            "\u0301",
            "👩‍👩‍👧‍👦",
            "🇩🇪🇫🇷",
        ],
        *[
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "नमस्ते",
            "\U0001d518",
            "\\`",
            "\\*",
            "- ",
            "1. ",
            "# ",
            "> ",
            "|",
            "<!channel>",
            "@everyone",
            "a" + "\u0301" * 120,
        ],
    ]
)
LINES = st.one_of(
    st.lists(WORDS, max_size=25).map(" ".join),
    st.lists(WORDS, max_size=25).map("".join),
    st.sampled_from(
        [
            *[
                "",
                "   ",
                "\t",
                "\r",
                "```",
                "```python",
                "````md",
                "~~~",
                "~~~ text here",
                "   ```",
                "> ```js",
                "> quoted",
            ],
            *[
                "- ```sh",
                "    ```",
                "``",
                "```a`b",
                "Look: ```py",
                "x = 1```",
                "``` and so on",
                "```x``` ```",
                "> Look: ```",
                "text\r",
                "```\r",
                "``` ",
                "| a | b |",
                "|---|:-:|",
                "| 1 | 2 |",
                "a | b",
                "--- | ---",
            ],
            *["# Heading", "- item", "  - nested item", "1. first", "    indented = code", "---", "`" * 7],
        ]
    ),
)
MARKDOWN = st.lists(LINES, max_size=40).map("\n".join)


def shown(text: str, limit: Limit = SMALL) -> list[str]:
    return [part.shown for part in split(text, limit)]


def margin(before: str) -> str:
    return before if ">" in before else before[:3]


def open_fence(message: str, longest: int) -> str | None:
    """Read a message on its own, as CommonMark does but for indentation, and return the fence open at its end.

    longest: characters of a line of ticks that still is a fence.
    """
    fence = None
    for line in message.split("\n"):
        if fence and ">" in fence and not line.lstrip(" \t").startswith(">"):
            fence = None
        if fence is None:
            found = re.match(r"((?:[ \t]|>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))*)(`{3,}|~{3,})(.*)", line)
            if found and not (found[2][0] == "`" and "`" in found[3]) and len(margin(found[1]) + found[2]) <= longest:
                fence = (">" if ">" in found[1] else "") + found[2]
        else:
            run = fence.lstrip(">")
            rest = line.rstrip(" \t\r").lstrip("> \t" if ">" in fence else " \t")
            if len(rest) >= len(run) and set(rest) == {run[0]}:
                fence = None
    return fence


@given(MARKDOWN, LIMITS)
@settings(max_examples=300, deadline=None)
def test_the_parts_join_up_to_the_whole_reply(text, limit):
    parts = list(split(text, limit))
    assert "".join(text[part.start : part.end] for part in parts) == text[: parts[-1].end if parts else 0]
    assert not text[parts[-1].end if parts else 0 :].strip()
    for part in parts:
        body = text[part.start : part.end]
        assert body.strip() in part.shown, "what a part shows is its range, between a head and a tail"


@given(MARKDOWN, LIMITS)
@settings(max_examples=300, deadline=None)
def test_what_is_shown_beside_the_reply_is_only_what_is_opened_again_and_closed(text, limit):
    before = ""
    for part in split(text, limit):
        body = text[part.start : part.end]
        blank, _, tail = part.shown.removeprefix(before).partition(body.strip())
        assert not blank.strip()
        assert tail.strip() == (part.open.fence.closing.strip() if part.open.fence else "")
        before = part.open.head


@given(MARKDOWN, LIMITS)
@settings(max_examples=300, deadline=None)
def test_no_part_is_blank_or_beyond_the_limit(text, limit):
    for part in split(text, limit):
        assert part.shown.strip()
        assert limit.size(part.shown) <= limit.characters


@given(MARKDOWN, COMMONMARK)
@settings(max_examples=300, deadline=None)
def test_every_part_closes_the_fences_it_opens(text, limit):
    for part in split(text, limit):
        left = open_fence(part.shown, limit.characters // 10)
        assert left is None or (left[0] == ">" and part.open.fence is None), "it ended with the quotation it stood in"


@given(MARKDOWN, LIMITS)
@settings(max_examples=300, deadline=None)
def test_what_people_see_as_one_character_is_not_cut(text, limit):
    ends, at = {0}, 0
    too_long = False
    for cluster in regex.findall(r"\X", text):
        at += len(cluster)
        ends.add(at)
        too_long |= limit.size(cluster) > limit.characters // 2
    assume(not too_long)
    assert {part.end for part in split(text, limit)} <= ends


@given(MARKDOWN, LIMITS, st.data())
@settings(max_examples=300, deadline=None)
def test_finished_parts_stay_when_more_text_comes(text, limit, data):
    so_far = text[: data.draw(st.integers(0, len(text)))]
    finished = list(split(so_far, limit))[:-1]
    assert list(split(text, limit))[: len(finished)] == finished


@given(MARKDOWN, LIMITS)
@settings(max_examples=100, deadline=None)
def test_cutting_goes_on_after_any_part(text, limit):
    parts = list(split(text, limit))
    for number, part in enumerate(parts):
        assert list(split(text, limit, part)) == parts[number + 1 :]


@given(MARKDOWN)
@settings(max_examples=100, deadline=None)
def test_what_fits_is_one_part(text):
    assume(text.strip())
    (part,) = split(text, Limit(100_000))
    assert part.shown.strip().startswith(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "word " * 200_000,
        "x" * 200_000,
        "`" * 200_000,
        "[" * 200_000,
        "[a](b" * 40_000,
        "*a " * 70_000,
        "\n" * 200_000 + "x",
        "```\n" + "\n" * 200_000,
        "```\n" + "code\n" * 40_000,
        "e" + "\u0301" * 200_000,
        "👩\u200d" * 100_000,
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20_000,
        "> " * 100_000,
        "```" + " " * 200_000 + "x",
        "a" + " " * 200_000 + "b",
    ],
    ids=lambda text: repr(text[:12]),
)
@pytest.mark.parametrize("limit", [DISCORD, SLACK], ids=["Discord", "Slack"])
def test_a_huge_reply_is_cut_to_its_end(text, limit):
    parts = list(split(text, limit))
    assert all(limit.size(part.shown) <= limit.characters for part in parts)
    assert not text[parts[-1].end :].strip()


def test_a_paragraph_is_the_best_place():
    first, second = "one two. " * 7, "three four. " * 6
    assert shown(f"{first}\n\n{second}") == [first.strip(), second.strip()]


def test_then_a_line_then_a_sentence_then_a_word():
    assert shown("a" * 60 + "\n" + "b. " * 30)[0] == "a" * 60
    assert shown("This is a sentence of some words, and it is rather long. " * 2)[0].endswith("rather long.")
    assert shown("word " * 30) == [("word " * 20).strip(), ("word " * 10).strip()]
    assert shown("x" * 250) == ["x" * 100, "x" * 100, "x" * 50]


def test_a_fence_is_closed_and_opened_again_in_its_language():
    text = "Look:\n```python\n" + "x = 1\n" * 20 + "```\nThat is all."
    first, second = shown(text)
    assert first == "Look:\n```python\n" + "x = 1\n" * 13 + "```"
    assert second == "```python\n" + "x = 1\n" * 7 + "```\nThat is all."


def test_code_keeps_its_indentation_across_parts():
    text = "```py\ndef f():\n" + "    return 1  # again\n" * 10 + "```"
    for part in shown(text)[1:]:
        assert part.startswith("```py\n    return 1")


def test_a_fence_in_a_quotation_stays_in_it():
    parts = shown("> ```js\n" + "> let a = 1;\n" * 12 + "> ```\n")
    assert all(part.startswith("> ```js\n>") and part.endswith("> ```") for part in parts)


def test_a_longer_fence_holds_a_shorter_one():
    parts = shown("````md\n" + "```\ninner\n```\n" * 12 + "````")
    assert all(part.startswith("````md\n") and part.endswith("````") for part in parts)


def test_the_line_that_closes_a_fence_never_goes_alone():
    for length in range(60, 100):
        for part in shown("```\n" + "a\n" * 10 + "b" * (length - 24) + "\n```"):
            assert part.strip("`\n"), "a part that shows code shows some"


@pytest.mark.parametrize("whole", ["[a link in words](https://a.b/c_(d))", "`code with blanks`", "**some bold words**"])
@pytest.mark.parametrize("before", range(140, 201))
def test_links_code_and_emphasis_stay_whole(whole, before):
    parts = shown(("word " * 40)[:before] + " " + whole + " and more words" * 3, Limit(200))
    assert len(parts) > 1
    assert any(whole in part for part in parts)


def test_a_table_that_is_cut_shows_its_header_again():
    header = "| name | age |\n|---|---|\n"
    parts = shown(header + "| somebody | 33 |\n" * 10)
    assert len(parts) > 1
    assert all(part.startswith(header + "| somebody") for part in parts)


def test_a_list_is_cut_between_items():
    item = "- an item that goes on\n  over another line\n"
    for part in shown(item * 8):
        assert part.startswith("- an item")
        assert part.endswith("over another line")


def test_a_heading_stays_with_what_it_is_about():
    parts = shown("intro " * 12 + "\n## Heading\n" + "text " * 12)
    assert parts[1].startswith("## Heading\ntext")


def test_discord_counts_code_points_and_slack_the_larger_count():
    assert len(shown("😀" * 2000, DISCORD)) == 1
    assert len(shown("😀" * 6000, SLACK)) == 1
    assert len(shown("😀" * 6001, SLACK)) == 2


def test_nothing_is_shown_of_nothing():
    assert shown("") == shown(" \n\n ") == []


def test_beyond_so_many_parts_the_rest_is_a_text_of_its_own():
    text = "```py\n" + "x = 1\n" * 60 + "```"
    parts, rest = fit(text, SMALL, 2)
    assert len(parts) == 2
    assert rest == "```py\n" + text[parts[1].end :]
    assert fit("short", SMALL, 2)[1] == ""


def test_a_limit_that_leaves_no_room_is_refused():
    with pytest.raises(ValueError, match="use 100 or more"):
        Limit(20)


def test_nobody_is_called_on_discord():
    text = quiet_on_discord("@everyone @here <@&42> but <@7> and me@heres.example")
    assert not re.search(r"@everyone|@here|<@&\d", text)
    assert "<@7>" in text
    assert text.replace("\u200b", "") == "@everyone @here <@&42> but <@7> and me@heres.example"


def test_nobody_is_called_on_slack():
    said = "<!channel> <!here|here> <!everyone> <!subteam^S1|@all> <!DOCTYPE html> <!-- here --> <@U1> <@> me<@home"
    text = quiet_on_slack(said)
    assert not re.search(r"<!(channel|here|everyone|subteam\^)|<@U", text)
    assert text.replace("\u200b", "") == said
    assert "<!DOCTYPE html> <!-- here --> " in text
    assert text.endswith(" <@> me<@home")


@pytest.mark.parametrize("quiet", [quiet_on_discord, quiet_on_slack])
@given(
    said=st.lists(WORDS | st.sampled_from(["<!here", "<@&1", "@here", "<!subteam^", ">"])).map("".join), data=st.data()
)
def test_what_was_made_quiet_stays_as_it_is(quiet, said, data):
    assert quiet(said).startswith(quiet(said[: data.draw(st.integers(0, len(said)))]))
