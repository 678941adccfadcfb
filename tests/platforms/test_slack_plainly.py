"""Markdown without its marks, as notifications show it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.slack.plainly import MOST, plain, without_marks
from bot.platforms.slack.words import read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**bold** and *it*, `code`, ~~gone~~", "bold and it, code, gone"),
        ("# Title\n\nText", "Title\n\nText"),
        ("[a page](https://a.example) <https://b.example> https://c.example",
         "a page (https://a.example) https://b.example https://c.example"),
        ("- one\n- two\n  - three\n\nend", "• one\n• two\n  • three\n\nend"),
        ("3. one\n4. two", "3. one\n4. two"),
        ("| A | B |\n|---|---|\n| 1 | 2 |", "A | B\n1 | 2"),
        ("```python\nx = 1\n```\nDone.", "x = 1\n\nDone."),
        ("> quoted", "quoted"),
        ("![a cat](https://a.example/cat.png)", "a cat"),
        ("one\ntwo", "one\ntwo"),
        ("**", "**"),
        ("", ""),
    ],
)  # fmt: skip
def test_marks_are_left_out(text, said):
    assert without_marks(text) == said


def test_what_slack_reads_as_its_own_is_escaped():
    assert plain("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@given(st.text(alphabet="ab &<>*_`#|-\n", max_size=200), st.integers(10, 60))
def test_a_cut_text_is_no_longer_than_allowed_and_no_escape_is_cut(text, most):
    said = plain(text, most)
    assert len(said) <= most
    assert read(said, str).replace("…", "").count("&") <= text.count("&")
    assert bool(said.strip()) == bool(text.strip())


@given(st.text(max_size=300))
def test_any_text_becomes_a_plain_one(text):
    assert len(plain(text)) <= MOST
