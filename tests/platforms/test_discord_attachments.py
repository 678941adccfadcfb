"""Files that people attach in Discord, read by the unmodified `lorebot discord`."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.attachments import decoded, kind_of, media_type

shared = pytest.mark.asyncio(loop_scope="module")

SEEING = {"LOREBOT_CHAT_MODEL": "gpt-4o", "LOREBOT_ATTACHMENTS_KB": "1"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
GIF, JPEG, WEBP = b"GIF89a" + b"\0" * 9, b"\xff\xd8\xff\xe0" + b"\0" * 9, b"RIFF\0\0\0\0WEBPVP8 "


@pytest.mark.parametrize(
    ("name", "content_type", "kind"),
    [
        ("notes.txt", "text/plain; charset=utf-8", "text"),
        ("Main.TS", "video/mp2t", "text"),
        ("main.rs", None, "text"),
        ("Dockerfile", None, "text"),
        (".gitignore", None, "text"),
        ("data", "application/geo+json", "text"),
        ("data", "application/json; charset=utf-8", "text"),
        ("drawing.svg", "image/svg+xml", "text"),
        ("cat.PNG", None, "image"),
        ("cat", "image/webp", "image"),
        ("cat.heic", "image/heic", None),
        ("song.mp3", "audio/mpeg", None),
        ("paper.pdf", "application/pdf", None),
        ("a.zip", "application/zip", None),
        ("", None, None),
    ],
)
def test_what_is_read_is_known_by_name_and_type(name, content_type, kind):
    assert kind_of(name, content_type or "") == kind


@given(st.text().filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_texts_are_read_as_utf_8_or_with_the_mark_of_utf_16(text):
    assert decoded(text.encode()) == decoded(text.encode("utf-8-sig")) == text
    for mark, encoding in (("\ufeff", "utf-16-le"), ("\ufeff", "utf-16-be")):
        assert decoded((mark + text).encode(encoding)) == text


@pytest.mark.parametrize("data", [PNG, b"\xff", b"a\0b", "ä".encode("latin-1"), "\ufeffa".encode("utf-32-le")])
def test_what_is_no_text_is_not_taken_for_one(data):
    assert decoded(data) is None


def test_an_image_is_known_by_how_it_begins():
    found = [media_type(data) for data in (PNG, JPEG, GIF, WEBP, b"", b"RIFFxxxxWAVE", b"<svg>")]
    assert found == ["image/png", "image/jpeg", "image/gif", "image/webp", None, None, None]


@shared
async def test_a_text_and_an_image_are_shown_to_the_model(bot, server, openai, library):
    await bot.up(**SEEING)
    files = [("list.txt", b"\xef\xbb\xbfeggs\nmilk"), ("cat.png", PNG)]
    bot.ask(library.general, library.ada, "What is this?", files=files)
    await bot.final(library.general, "Rex!")
    assert 'Attached files:\n- file list.txt: "eggs\\nmilk"\n- image cat.png: shown to you' in openai.prompts[-1]
    assert openai.images[-1] == [("image/png", PNG)]


@shared
async def test_a_file_alone_is_answered_and_recalled_later(bot, server, openai, library):
    await bot.up(**SEEING)
    server.say(library.general, library.ada, server.me.mention, files=[("pets.md", b"My dog is called Rex.")])
    await bot.final(library.general, "Rex!")
    dm = server.dm(library.bob)
    server.say(dm, library.bob, files=[("cat.jpg", JPEG)])
    await bot.final(dm, "Rex!")
    assert openai.images[-1] == [("image/jpeg", JPEG)]
    lounge = server.channel(library.guild, "lounge")
    bot.ask(lounge, library.bob, "What is Ada's dog called?")
    await bot.final(lounge, "Rex!")
    assert "My dog is called Rex." in openai.prompts[-1]


@shared
async def test_what_is_not_read_is_said_below_the_answer(bot, server, openai, library):
    await bot.up(**SEEING)
    files = [
        ("song.mp3", b"ID3"),
        ("long.txt", b"x" * 1025),
        ("fake.txt", PNG),
        ("fake.png", b"not an image"),
        ("empty.txt", b""),
        ("1.png", PNG),
        ("2.png", PNG),
        ("3.gif", GIF),
        ("4.webp", WEBP),
    ]
    bot.ask(library.general, library.ada, "What is this?", files=files)
    await server.until(lambda: any("4.webp" in one.text for one in server.said(library.general)))
    [answer] = server.said(library.general)
    assert answer.text == (
        "Rex!\n-# Not read: song.mp3 (neither text nor image), long.txt (2 KB; 1 KB are the most), "
        "fake.txt (not text), fake.png (not an image that can be read), empty.txt (empty), "
        "4.webp (4 images are the most)."
    )
    assert [kind for kind, _ in openai.images[-1]] == ["image/png", "image/png", "image/gif"]


@shared
async def test_an_address_that_has_expired_is_said_and_the_rest_is_answered(bot, server, openai, library):
    await bot.up(**SEEING)
    server.rules.attachment_life = -1
    bot.ask(library.general, library.ada, "What is this?", files=[("list.txt", b"eggs")])
    await bot.final(library.general, "Rex!\n-# Not read: list.txt (it could not be downloaded).")


@shared
async def test_files_of_a_burst_and_of_the_message_replied_to_are_read(bot, server, openai, library):
    await bot.up(**SEEING)
    poem = server.say(library.general, library.bob, "look", files=[("poem.txt", b"roses")])
    bot.ask(library.general, library.ada, "What is this?", reply_to=poem)
    server.say(library.general, library.ada, server.me.mention, files=[("cat.png", PNG)])
    await bot.final(library.general, "Rex!")
    assert '- file poem.txt of Bob: "roses"' in openai.prompts[-1]
    assert openai.images == [[("image/png", PNG)]]


@shared
async def test_an_edited_message_keeps_its_files(bot, server, openai, library):
    await bot.up(**SEEING)
    files = [("list.txt", b"eggs, milk")]
    asked = bot.ask(library.general, library.ada, "What is thsi?", files=files)
    await bot.final(library.general, "Rex!")
    openai.answer = lambda prompt: "Eggs."
    server.edit(asked, f"{server.me.mention} What is this list of mine?")

    async def told() -> bool:
        before = len(openai.chats)
        bot.ask(library.general, library.ada, "And what is on it?")
        await server.until(lambda: len(openai.chats) > before and not openai.busy)
        return 'What is this list of mine?\nAttached file list.txt: "eggs, milk"' in openai.prompts[-1]

    async with asyncio.timeout(30):
        while not await told():
            pass


@shared
@pytest.mark.soak
async def test_what_is_attached_is_remembered_though_the_bot_is_killed_while_it_answers(bot, server, openai, library):
    await bot.up(**SEEING)
    openai.let_go = asyncio.Event()
    files = [("list.txt", b"eggs, milk"), ("cat.png", PNG)]
    bot.ask(library.general, library.ada, "What is this?", files=files)
    await server.until(lambda: openai.busy)
    await bot.kill()
    openai.let_go = None
    await bot.up(**SEEING)
    bot.ask(library.general, library.ada, "And that?")
    remembered = 'What is this?\nAttached file list.txt: "eggs, milk"\nAttached image cat.png'
    await server.until(lambda: any(remembered in prompt for prompt in openai.prompts))


@shared
async def test_a_model_that_does_not_see_is_not_shown_images(bot, server, openai, library):
    await bot.up(**SEEING, LOREBOT_IMAGES="no")
    bot.ask(library.general, library.ada, "What is this?", files=[("cat.png", PNG)])
    await bot.final(library.general, "Rex!\n-# Not read: cat.png (the model does not see images).")
    assert openai.images == [[]]
