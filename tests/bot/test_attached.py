"""What is attached to a message is quoted, never obeyed; what does not fit is told; its beginning is remembered."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import budget
from bot.apps import attached
from bot.apps.chat import ChatApp, ChatOptions, heard
from bot.apps.marks import plain
from bot.errors import MessageTooLong, PromptRefused
from bot.ledger import Ledger
from bot.models.base import Image, Piece
from bot.models.openai_tokens import TiktokenTokenizer
from bot.prompts import Prompts
from bot.records import Answered, Attachment, Incoming, Notice
from memory.records import Context
from memory.scope import Audience, Scope
from tests.bot.test_budget import HOSTILE
from tests.bot.test_poisoned_memory import ATTEMPTS, MARKS, NAMES, NOW, PROMPTS, SCOPE, STYLES, WILD, unseen
from tests.fakes import ScriptedModel

CAT = Image(b"\x89PNG\r\n\x1a\ncat", "image/png")
FILE = re.compile(r'(?:- )?(?P<label>(?:file|image) [^:"\n]+): (?P<quote>"(?:[^"\\\x00-\x1f]|\\.)*")(?: \(cut here\))?')


def said(text: str, *attachments: Attachment) -> Incoming:
    return Incoming("m", SCOPE, "Ada", text, NOW, "UTC", (), attachments)


def composed(incoming: Incoming, style: str | None = None, **model: object):
    options = ChatOptions(prompt_tokens=4000, reply_tokens=500, small=style is not None)
    app = ChatApp(None, ScriptedModel(**{"context_window": 8000, **model}), PROMPTS[style], options)
    return app.compose(incoming, Context())


def quotes(content: str) -> list[str]:
    """Return the texts of the files as they stand in a message, which is nothing else but them and the question."""
    lines = content.split("\n")
    assert lines.pop(0) == "Attached files:"
    texts = []
    while found := FILE.fullmatch(lines[0]):
        texts.append(json.loads(found["quote"]))
        lines.pop(0)
    small = ["", "Ada asks: What is it?", "Answer in one sentence:"]
    assert lines in (["", "What is it?"], small)
    return texts


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in ATTEMPTS.items()])
def test_a_file_s_text_stays_in_its_quote(text, style):
    prompt = composed(said("What is it?", Attachment("notes.txt", text), Attachment("b.txt", "harmless")), style)
    first, second = quotes(prompt.messages[-1].content)
    assert plain(text).startswith(first[:-12])  # where it is cut, a mark may be cut too
    assert second == "harmless"
    assert [mark for mark in MARKS if mark in prompt.messages[-1].content] == []
    assert prompt.messages[0] == composed(said("What is it?"), style).messages[0]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", [pytest.param(name, id=id) for id, name in NAMES.items()])
def test_a_file_s_name_stays_a_name(name, style):
    files = (Attachment(name, "text"), Attachment(name, "more", author=name))
    prompt = composed(said("What is it?", *files), style)
    assert quotes(prompt.messages[-1].content) == ["text", "more"]
    assert unseen(prompt.messages[-1].content) == set()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(st.tuples(WILD, WILD), min_size=1, max_size=4),
    style=st.sampled_from(STYLES),
)
def test_no_file_changes_the_form_of_a_prompt(files, style):
    given = [Attachment(name, text) for name, text in files]
    prompt = composed(said("What is it?", *given), style)
    assert quotes(prompt.messages[-1].content) == [plain(text) for _, text in files]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=WILD, name=WILD, words=st.text(alphabet="abc \n", max_size=20))
def test_what_is_remembered_of_a_file_is_one_line_whose_quote_does_not_end_early(text, name, words):
    line = attached.remembered(said(words, Attachment(name, f"x{text}"))).removeprefix(f"{words}\n" if words else "")
    assert len(plain(line).split("\n")) == 1
    assert re.fullmatch(r'Attached file [^:"]+: "[^"]*"', line)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    message=HOSTILE,
    files=st.lists(st.tuples(st.text(max_size=100), st.one_of(HOSTILE, st.none(), st.just(CAT))), max_size=10),
    most=st.integers(300, 1500),
)
def test_a_prompt_with_files_never_exceeds_its_budget(message, files, most):
    model = ScriptedModel(context_window=4000)
    model.tokenizer = TiktokenTokenizer.for_model("gpt-4o")
    app = ChatApp(None, model, Prompts(), ChatOptions(prompt_tokens=most, reply_tokens=100))
    given = [Attachment(name, image=it) if it is CAT else Attachment(name, it) for name, it in files]
    try:
        prompt = app.compose(said(message, *given), Context())
    except MessageTooLong:
        return
    assert budget.prompt_cost(prompt.messages, model.tokenizer, model.image_tokens) == prompt.tokens <= most
    left_out = [one for one, shown in zip(given, prompt.attachments, strict=False) if shown != one]
    if left_out or len(prompt.attachments) < len(given):
        assert attached.notice(given, prompt.attachments)


def test_files_share_the_room_and_what_one_leaves_the_others_take():
    files = [Attachment("long.txt", "word " * 9000), Attachment("short.txt", "brief"), Attachment("l.txt", "w " * 9000)]
    shown = attached.fitted(files, 1000, ScriptedModel())
    first, second, third = (len(one.text.split()) for one in shown)
    assert (second, shown[1].unread) == (1, "")
    assert first < third  # which has what the short one left
    assert 600 < first + third < 1000
    kept = len(shown[0].text)
    assert attached.notice(files, shown[:2]) == (
        f"Not read: long.txt (beyond its first {kept:,} of 45,000 characters), l.txt (no room for it in the prompt)."
    )


def test_images_come_before_texts_as_many_as_fit():
    given = [Attachment("a.txt", "word " * 900), *(Attachment(f"{number}.png", image=CAT) for number in range(4))]
    shown = attached.fitted(given, 400, ScriptedModel())
    assert [one.image for one in shown[1:]] == [CAT, CAT, CAT, None]
    assert "4.png" not in attached.notice(given[:4], shown[:4])
    assert "3.png (no room for it in the prompt)" in attached.notice(given, shown)


def test_a_model_that_does_not_see_is_told_the_names_of_images_and_so_is_the_person():
    prompt = composed(said("What is it?", Attachment("cat.png", image=CAT)), sees=False)
    assert prompt.messages[-1].images == ()
    assert "- file cat.png: not shown to you, the model does not see images" in prompt.messages[-1].content


def test_a_message_without_words_says_so():
    assert composed(said("", Attachment("cat.png", image=CAT))).messages[-1].content == (
        "Attached files:\n- image cat.png: shown to you\n\n(said without words)"
    )


def test_of_many_files_a_notice_names_ten():
    given = [Attachment(f"{number}.mp3", unread="neither text nor image") for number in range(12)]
    assert attached.notice(given, given).endswith("9.mp3 (neither text nor image) and 2 more.")


async def test_images_are_shown_and_the_turn_remembers_names_and_beginnings(talk):
    bot = talk("A cat.")
    files = (Attachment("cat.png", image=CAT), Attachment("notes.txt", 'Rex said\n"Wau" ' + "x " * 3000))
    answered = await bot.say("What is this?", attachments=files)
    assert answered.answer == "A cat."
    assert bot.model.prompts[-1][-1].images == (CAT,)
    [heard, _] = await bot.memory.recent(bot.scope)
    assert heard.text.startswith("What is this?\nAttached image cat.png\nAttached file notes.txt: \"Rex said 'Wau' x x")
    assert 1900 < len(heard.text) < 2100


async def test_what_an_attached_file_says_is_recalled_later(talk):
    bot = talk("Noted.", "Rex.", window=0)
    await bot.say("", attachments=(Attachment("pets.md", "My dog is called Rex"),))
    answered = await bot.say("What is my dog called?")
    assert [one.turn.text for one in answered.recalled][:1] == ['Attached file pets.md: "My dog is called Rex"']


async def test_files_of_the_message_replied_to_are_shown_and_not_remembered(talk):
    bot = talk("A list.")
    await bot.say("What is this?", attachments=(Attachment("bob.txt", "eggs, milk", author="Bob"),))
    assert '- file bob.txt of Bob: "eggs, milk"' in bot.model.last_prompt
    assert (await bot.memory.recent(bot.scope))[0].text == "What is this?"


async def test_an_edited_message_keeps_its_attachments(talk):
    bot = talk("A list.")
    files = (Attachment("list.txt", "eggs, milk"),)
    incoming = bot.incoming("What is thsi?", attachments=files)
    await bot.events(incoming)
    assert await bot.engine.edited(replace(incoming, text="What is this?"))
    assert (await bot.memory.recent(bot.scope))[0].text == 'What is this?\nAttached file list.txt: "eggs, milk"'


async def test_what_is_left_out_is_said_below_the_answer(talk):
    bot = talk("A list.")
    files = (Attachment("song.mp3", unread="neither text nor image"),)
    events = await bot.events(bot.incoming("What is this?", attachments=files))
    assert events[:2] == [Piece("A list."), Notice("Not read: song.mp3 (neither text nor image).")]
    assert isinstance(events[2], Answered)


async def test_images_that_the_model_refuses_are_left_out_and_said(talk):
    bot = talk(PromptRefused("gpt-4o refuses this prompt (400: invalid image)"), "I cannot see it.")
    files = (Attachment("cat.png", image=CAT),)
    events = await bot.events(bot.incoming("What is this?", attachments=files))
    assert events[:2] == [Piece("I cannot see it."), Notice("Not read: cat.png (the model refuses it).")]
    assert [len(prompt[-1].images) for prompt in bot.model.prompts] == [1, 0]


async def test_a_prompt_without_images_that_is_refused_is_not_sent_again(talk):
    bot = talk(PromptRefused("no"))
    with pytest.raises(PromptRefused):
        await bot.say("What is this?", attachments=(Attachment("a.txt", "x"),))
    assert len(bot.model.prompts) == 1


async def test_a_message_that_waits_for_another_process_keeps_its_texts_and_the_names_of_its_images(memory):
    ledger, here = Ledger(memory.keys, "dead"), Scope("local:ada", "main", "ada", Audience.PUBLIC)
    files = (Attachment("a.txt", "eggs"), Attachment("cat.png", image=CAT), Attachment("b.txt", "ham", author="Bob"))
    batch = memory.batch()
    ledger.claim(batch, Incoming("m", here, "Ada", "What?", NOW, "UTC", (), files), NOW)
    found = ledger.unfinished(batch, here.tenant, NOW * 2)
    await batch.send()
    [incoming] = found.value
    lost = Attachment("cat.png", unread="lost when the bot was interrupted")
    assert list(incoming.attachments) == [files[0], lost]  # others' files are not kept for them
    assert heard(incoming).text == 'What?\nAttached file a.txt: "eggs"\nAttached file cat.png'
