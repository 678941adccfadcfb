"""Slack's texts as people read them, and which messages are for the bot."""

import pytest

from bot.platforms.slack import intake, words
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.people import Channel

NAMES = {"U1": "Ada", "U2": "Bob"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello <@U1>, and <@U2|bobby>", "hello @Ada, and @bobby"),
        ("see <#C12|general> and <#C13>", "see #general and #C13"),
        ("<!here> <!channel> <!everyone|@everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@devs> <!subteam^S2>", "@devs @group"),
        ("at <!date^1392734382^{date}|noon>", "at noon"),
        ("<https://a.example|a page> <https://b.example>", "a page (https://a.example) https://b.example"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c (mailto:a@b.c)"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&lt;@U1&gt; is no mention", "<@U1> is no mention"),
    ],
)  # fmt: skip
def test_a_text_is_read_as_it_is_shown(text, said):
    assert words.read(text, lambda one: NAMES.get(one, one)) == said


def test_the_first_mention_of_the_bot_is_left_out():
    assert words.without("<@U9>: hello <@U9>", "U9") == "hello <@U9>"
    assert words.without("<@U9|lore>  hello", "U9") == "hello"


def test_our_own_answer_is_learned_whole_and_with_its_marks():
    blocks = [{"type": "markdown", "text": "**Yes**"}, {"type": "actions", "elements": []}]
    assert words.answered({"text": "Yes", "blocks": blocks}) == "**Yes**"
    assert words.answered({"text": "Yes", "blocks": [{"type": "rich_text"}]}) == ""


def test_what_is_escaped_is_read_back_as_it_was():
    text = "<!channel> & <@U1> > &lt;"
    assert words.read(words.escaped(text), str) == text


@pytest.mark.parametrize(
    ("text", "kind", "thread", "for_us"),
    [
        ("<@U9> hello", "public", None, True),
        ("hello", "public", None, False),
        ("hello", "direct", None, True),
        ("hello", "group", None, False),
        ("hello", "public", "1.0", True),
        ("<@U2> hello", "public", "1.0", False),
        ("<@U2> <@U9> hello", "private", "1.0", True),
    ],
)
def test_which_messages_are_for_the_bot(text, kind, thread, for_us):
    one = Heard("2.0", "C1", "U1", text, thread)
    assert intake.addressed(one, "U9", Channel("C1", kind), joins=False, in_thread=True) == for_us


def test_in_a_joined_channel_all_is_for_the_bot_but_what_names_others():
    channel = Channel("C1", "public")
    assert intake.addressed(Heard("1.0", "C1", "U1", "hello"), "U9", channel, joins=True, in_thread=False)
    assert not intake.addressed(Heard("1.0", "C1", "U1", "<@U2> hello"), "U9", channel, joins=True, in_thread=False)


@pytest.mark.parametrize(
    "event", [{"bot_id": "B1"}, {"subtype": "channel_join"}, {"user": ""}, {"subtype": "bot_message"}]
)
def test_what_bots_and_slack_itself_say_is_not_heard(event):
    assert intake.heard({"ts": "1.0", "channel": "C1", "user": "U1", "text": "hello", **event}) is None
