"""Images go to models that see, in the parts that OpenAI wants."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bot import budget
from bot.models.base import Image, Message
from bot.models.endpoint import Endpoint
from bot.models.openai_chat import OpenAIChat
from bot.models.sight import UNKNOWN, Sight, sight
from tests.fakes import WordTokenizer
from tests.openai_like import OpenAILike

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
async def server() -> AsyncIterator[OpenAILike]:
    async with OpenAILike() as server:
        yield server


async def asked(server: OpenAILike, name: str, *messages: Message, **options: object) -> list[object]:
    """Send a prompt; return its messages as they arrived."""
    chat = OpenAIChat(Endpoint(base_url=f"{server.address}/v1", api_key=SecretStr("sk-x")), name, **options)
    try:
        assert [event async for event in chat.stream(messages, max_tokens=50)]
    finally:
        await chat.close()
    return server.chats[-1]["messages"]


async def test_an_image_is_a_part_of_its_message(server):
    shown = Message("user", "What is this?", (Image(PNG, "image/png"), Image(b"\xff\xd8\xff", "image/jpeg")))
    system, user = await asked(server, "gpt-4.1", Message("system", "Be kind."), shown)
    assert system == {"role": "system", "content": "Be kind."}
    assert user["content"][0] == {"type": "text", "text": "What is this?"}
    assert user["content"][2] == {
        "type": "image_url",
        "image_url": {"url": "data:image/jpeg;base64,/9j/", "detail": "auto"},
    }
    assert server.images == [[("image/png", PNG), ("image/jpeg", b"\xff\xd8\xff")]]


@pytest.mark.parametrize(("name", "detail"), [("gpt-4o-mini", "low"), ("gpt-5.4", "high"), ("my-qwen-vl", "auto")])
async def test_where_looking_closely_costs_beyond_measure_it_is_asked_to_look_less_closely(server, name, detail):
    [user] = await asked(server, name, Message("user", "?", (Image(PNG, "image/png"),)), images="yes")
    assert user["content"][1]["image_url"]["detail"] == detail


async def test_an_image_of_five_megabytes_arrives_whole(server):
    data = PNG[:8] + b"\0" * 5 * 1024 * 1024
    await asked(server, "gpt-4o", Message("user", "?", (Image(data, "image/png"),) * 4))
    assert server.images[-1] == [("image/png", data)] * 4


@pytest.mark.parametrize(
    "name",
    [
        *("gpt-4.1-mini", "gpt-4.1-nano-2025-04-14", "gpt-4o", "gpt-4o-mini-2024-07-18", "chatgpt-4o-latest", "gpt-5"),
        *("gpt-5.4-mini", "gpt-5-nano", "gpt-6", "o1", "o3", "o4-mini", "gpt-4-turbo", "gpt-4-1106-vision-preview"),
        *("openai/gpt-4o", "ft:gpt-4o:acme::1", "GPT-4o"),
    ],
)
def test_models_that_see_are_known_by_their_names(name):
    assert sight(name) is not None
    assert sight(name, "no") is None


@pytest.mark.parametrize(
    "name",
    [
        *("gpt-4", "gpt-4-0613", "gpt-4-turbo-preview", "gpt-4-1106-preview", "gpt-3.5-turbo", "gpt-oss-120b"),
        *("o1-mini", "o1-preview", "o3-mini", "gpt-4o-audio-preview", "gpt-4o-mini-search-preview", "llama3.2", ""),
    ],
)
def test_models_that_do_not_see_are_shown_images_only_where_a_setting_says_so(name):
    assert sight(name) is None
    assert sight(name, "yes") == UNKNOWN


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("gpt-4o", 1445), ("gpt-4.1-mini", 2489), ("o3", 1275), ("gpt-4o-mini", 2833), ("gpt-5-mini", 2489)],
)
def test_an_image_costs_the_most_that_openai_counts_for_any_size(name, tokens):
    assert sight(name) == Sight(tokens, sight(name).detail)


def test_images_count_in_a_prompt():
    words, image = Message("user", "two words"), Image(PNG, "image/png")
    shown = Message("user", "two words", (image, image))
    without = budget.prompt_cost([words], WordTokenizer(), 100)
    assert budget.prompt_cost([words, shown], WordTokenizer(), 100) == without + (without - budget.PER_PROMPT) + 200
