"""Whatever a model says, however it is cut into pieces and messages: nobody is called."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.delivery.mentions import quiet_on_discord, quiet_on_slack
from bot.delivery.pace import Pace
from bot.delivery.parts import Limit
from bot.delivery.split import rest, split
from bot.delivery.stream import Style, show
from tests.fakes import ManualClock, Postbox

CALLS = {
    quiet_on_discord: re.compile(r"@everyone|@here|<@&"),
    quiet_on_slack: re.compile(r"<!(?:channel|here|everyone|group|subteam\^)|<@[UW]", re.IGNORECASE),
}
PLATFORMS = pytest.mark.parametrize("quiet", CALLS, ids=["Discord", "Slack"])

CALLING = [
    *["@everyone", "@here", "<@&42>", "<@&1234567890123456789>", "<@42>", "<@!42>", "@Everyone", "@EVERYONE"],
    *[
        "<!channel>",
        "<!here>",
        "<!here|here>",
        "<!everyone>",
        "<!group>",
        "<!subteam^S1|@all>",
        "<!Channel>",
        "<@U042>",
        "<@W042|ada>",
    ],
]
HALVES = [
    *["@", "every", "everyon", "one", "e", "her", "here", "<", "<@", "&", "&42>", ">"],
    *["!", "<!", "channel", "<!chan", "nel", "^", "subteam", "group", "U042"],
]
AROUND = [
    *[" ", "\n", "\n\n", "\r\n", "\t", "\\", "\\\\", "`", "``", "```", "```\n", "\n```\n", "\n```py\n", "~~~\n", "> "],
    *[
        "\u200b",
        "\u200d",
        "\u2060",
        "\ufeff",
        "\u00ad",
        "\u202e",
        "\u0301",
        "\ufe0f",
        "\x00",
        "\x1b",
        "\ud83d",
        "\uff20",
    ],
    *["*", "**", "_", "~~", "||", "[", "](https://a.b)", "(", ")", "| a | b |\n|---|---|\n", "| ", "- ", "1. ", "# "],
    *["word ", "x" * 40, "日本語", "👩‍👩‍👧", "code = 1\n" * 8, "A sentence. ", "https://a.b/"],
]
HOSTILE = st.lists(st.sampled_from([*CALLING, *CALLING, *HALVES, *AROUND]), max_size=40).map("".join)


@PLATFORMS
@given(said=HOSTILE, limit=st.sampled_from([Limit(100), Limit(101, wide=2), Limit(257)]))
@settings(max_examples=1000, deadline=None)
@example(said="x" * 91 + "@everyone", limit=Limit(100))
@example(said="```@everyone\n" + "x = 1\n" * 40, limit=Limit(200))
@example(said="| @here | <@&42> |\n|---|---|\n" + "| 1 | 2 |\n" * 20, limit=Limit(200))
def test_no_message_and_no_file_calls_anybody(quiet, said, limit):
    parts = list(split(quiet(said), limit))
    shown = [part.shown for part in parts] + [rest(quiet(said), part) for part in parts]
    assert [text for text in shown if CALLS[quiet].search(text)] == []


@PLATFORMS
@given(said=HOSTILE)
@settings(max_examples=500, deadline=None)
def test_people_read_the_same(quiet, said):
    assert quiet(said).replace("\u200b", "") == said.replace("\u200b", "")


@PLATFORMS
@given(said=HOSTILE)
@settings(max_examples=300, deadline=None)
def test_what_is_quiet_stays_as_it_is(quiet, said):
    assert quiet(quiet(said)) == quiet(said)


@PLATFORMS
@given(said=HOSTILE, cuts=st.lists(st.floats(0, 1), max_size=12), parts=st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_shown_meanwhile_calls_anybody(quiet, said, cuts, parts):
    places = sorted({int(cut * len(said)) for cut in cuts})
    pieces = [said[start:end] for start, end in zip([0, *places], [*places, len(said)], strict=True)]
    outlet = asyncio.run(_shown(pieces, Style(Limit(100), parts=parts, quiet=quiet)))
    told = [text for _, _, text in outlet.calls] + list(outlet.files.values())
    assert [text for text in told if CALLS[quiet].search(text)] == []


@PLATFORMS
@pytest.mark.parametrize("call", CALLING)
def test_nobody_is_called_wherever_a_piece_ends(quiet, call):
    for cut in range(len(call) + 1):
        outlet = asyncio.run(_shown([f"Wake up, {call[:cut]}", f"{call[cut:]}!"], Style(Limit(100), quiet=quiet)))
        told = [text for _, _, text in outlet.calls]
        assert [text for text in told if CALLS[quiet].search(text)] == []
        assert told[-1].replace("\u200b", "") == f"Wake up, {call}!"


async def _shown(pieces: list[str], style: Style) -> Postbox:
    """Show pieces that come more slowly than they may be shown, so that each is."""
    clock = ManualClock()
    outlet = Postbox(clock)

    async def said() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece
            await clock.sleep(2.0)

    await show(said(), outlet, "t", style, Pace(clock, 1.0))
    return outlet
