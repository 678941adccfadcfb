"""LLM.*: every option, what each replies, and what redis-llm got wrong."""

import asyncio
import json

import pytest

from bot.errors import CommandError, ObjectError, ObjectMissing, PromptError
from bot.resp.commands import Commands
from bot.resp.options import parse
from memory.errors import LoreError, StoreError, VectorError


@pytest.fixture
def llm(registry):
    """Send a command as a client would: llm("LLM.SIZE store")."""
    commands = Commands(registry.objects, registry.models, registry.stores, registry.apps)

    async def send(line: str, *more: str):
        name, *arguments = [*line.split(), *more]
        return await commands.run(name.upper(), [argument.encode() for argument in arguments])

    send.commands = commands
    return send


@pytest.fixture
async def model(llm):
    assert await llm("LLM.CREATE-LLM model --PARAMS", '{"api_key": "$OPENAI_API_KEY"}') == 1


async def test_create_replies_one_or_zero(llm):
    assert await llm("LLM.CREATE-LLM model --XX") == 0
    assert await llm("LLM.CREATE-LLM model --NX") == 1
    assert await llm("LLM.CREATE-LLM model --nx") == 0
    assert await llm("LLM.CREATE-LLM model --type openai --xx --params", '{"chat": {"model": "gpt-4o"}}') == 1


async def test_an_unknown_type_or_option_names_itself(llm):
    await llm("LLM.CREATE-VECTOR-STORE there")
    for line, told in (
        ("LLM.CREATE-LLM m --TYPE cohere", "cohere is no type of model"),
        ("LLM.CREATE-VECTOR-STORE s --TYPE flat", "flat is no type of vector store"),
        ("LLM.CREATE-LLM m --TEMPERATURE 1", "has no option --TEMPERATURE"),
        ("LLM.CREATE-LLM m --PARAMS {", "--PARAMS: a JSON object is wanted"),
        ("LLM.CREATE-LLM m --PARAMS", "--PARAMS needs a value"),
        ("LLM.CREATE-LLM m --TYPE openai --TYPE openai", "--TYPE is given twice"),
        ("LLM.CREATE-LLM", "wrong number of arguments for 'llm.create-llm' command"),
        ("LLM.CREATE-SEARCH a", "--VECTOR-STORE is missing"),
        ("LLM.CREATE-SEARCH a --VECTOR-STORE s --K 0", "--K: a whole number from 1"),
        ("LLM.CREATE-CHAT a --HISTORY []", "--HISTORY: a JSON object is wanted"),
        ('LLM.CREATE-CHAT a --HISTORY {"sumary_cnt":1}', "history.sumary_cnt is no parameter"),
        ('LLM.CREATE-APP a --LLM {"kee":"x"}', "llm.kee is no parameter"),
        ("LLM.CREATE-APP a --LLM nope", "no model called nope"),
        ("LLM.KNN s --K x text", "--K: a whole number"),
        ("LLM.KNN s --EMBEDDING 1,a", "--EMBEDDING: numbers between commas"),
        ("LLM.KNN there --EMBEDDING 1,nan", "not finite"),
        ("LLM.ADD s --ID -1 text", "--ID: a whole number from 0"),
        ("LLM.ADD s --TIMEOUT soon text", "--TIMEOUT: a whole number"),
        ('LLM.CREATE-APP a --LLM {"key"', "the model: a JSON object is wanted"),
        (f'LLM.CREATE-APP a --LLM {{"key":{"[" * 100_000}', "the model: a JSON object is wanted"),
        (f"LLM.KNN s --EMBEDDING {'[' * 100_000}", "--EMBEDDING: numbers between commas"),
        ("LLM.KNN s", "LLM.KNN needs --EMBEDDING or a text"),
        ("LLM.RUN a --VARS 1", "--VARS: a JSON object is wanted"),
        ('LLM.RUN a --PARAMS {"user":[]}', "--PARAMS: user must be a text"),
    ):
        with pytest.raises(LoreError, match=told.replace("(", r"\(")):
            await llm(line)


async def test_a_key_is_never_in_an_error(llm):
    for params in ('{"api_key": "sk-secret"', '{"api_key": "sk-secret", "http": 1}', '{"organization": ["sk-secret"]}'):
        with pytest.raises(LoreError) as raised:
            await llm("LLM.CREATE-LLM m --PARAMS", params)
        assert "sk-secret" not in str(raised.value)


async def test_a_store_without_a_model(llm):
    assert await llm("LLM.CREATE-VECTOR-STORE store") == 1
    assert await llm("LLM.ADD store --ID 1 --EMBEDDING 1.1,2.2,3.3", "some data") == 1
    assert await llm("LLM.ADD store --ID 2 --EMBEDDING 2.2,3.3,4.4", "some other data") == 2
    assert await llm("LLM.SIZE store") == 2
    assert await llm("LLM.KNN store --K 1 --EMBEDDING 1,2,3") == [[1, 0.14000000059604645]]
    assert await llm("LLM.KNN store --EMBEDDING 1,2,3") == [[1, pytest.approx(0.14)], [2, pytest.approx(5.09)]]
    assert await llm("LLM.GET store 1") == ["some data", "1.1,2.2,3.3"]
    assert await llm("LLM.REM store 1") == 1
    assert await llm("LLM.REM store 1") == 0
    assert await llm("LLM.GET store 1") is None
    assert await llm("LLM.SIZE store") == 1
    with pytest.raises(VectorError, match="3 numbers, this one has 2"):
        await llm("LLM.ADD store --EMBEDDING 1,2 data")
    with pytest.raises(ObjectError, match="store has no model"):
        await llm("LLM.ADD store data")


async def test_what_is_not_there_is_nil_or_zero_and_an_error_where_it_must_be_there(llm):
    assert await llm("LLM.SIZE nothing") == 0
    assert await llm("LLM.GET nothing 1") is None
    assert await llm("LLM.REM nothing 1") == 0
    for line in ("LLM.ADD nothing data", "LLM.KNN nothing data", "LLM.KNN nothing --EMBEDDING 1", "LLM.RUN nothing x"):
        with pytest.raises(ObjectMissing, match="nothing"):
            await llm(line)


async def test_what_is_of_another_kind_is_an_error(llm, model):
    for line in ("LLM.SIZE model", "LLM.GET model 1", "LLM.REM model 1", "LLM.RUN model x"):
        with pytest.raises(ObjectError, match="model is a model and no"):
            await llm(line)


async def test_a_store_with_a_model_embeds(llm, model):
    assert await llm("LLM.CREATE-VECTOR-STORE store --LLM model") == 1
    assert await llm("LLM.ADD store", "Rex is a dog") == 1
    assert await llm("LLM.ADD store", "I drink tea") == 2
    assert [id_ for id_, _ in await llm("LLM.KNN store", "my puppy")] == [1, 2]


async def test_a_full_store_says_so(llm):
    await llm("LLM.CREATE-VECTOR-STORE store --PARAMS", '{"max_elements": 2}')
    for number in (1, 2):
        await llm(f"LLM.ADD store --EMBEDDING {number},1 data")
    with pytest.raises(StoreError, match=r"full.*max_elements"):
        await llm("LLM.ADD store --EMBEDDING 3,1 data")


async def test_data_that_looks_like_an_option_is_put_behind_two_dashes(llm):
    await llm("LLM.CREATE-VECTOR-STORE store")
    await llm("LLM.ADD store --EMBEDDING 1,2 --", "--ID")
    assert (await llm("LLM.GET store 1"))[0] == "--ID"
    await llm("LLM.ADD store --EMBEDDING 1,2", "-- not an option")
    assert (await llm("LLM.GET store 2"))[0] == "-- not an option"


async def test_what_takes_too_long_is_nil(llm, model, openai):
    openai.let_go = asyncio.Event()
    await llm("LLM.CREATE-APP hello --LLM model")
    assert await llm("LLM.RUN hello --TIMEOUT 50 Hi") is None
    openai.let_go.set()
    assert await llm("LLM.RUN hello --TIMEOUT 60000 Hi") == "You said: Hi"


async def test_what_takes_too_long_is_nil_also_where_a_cancellation_is_swallowed(llm, configured):
    """As wait_for of Python 3.11 does, which redis-py sends with."""
    embedder = await configured.embedder()
    cancelled = []

    async def embed(texts):
        while True:
            try:
                return await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(texts)
                if len(cancelled) > 1:
                    raise

    embedder.embed = embed
    configured.embedder = lambda: asyncio.sleep(0, embedder)
    await llm("LLM.CREATE-VECTOR-STORE store --LLM default")
    async with asyncio.timeout(10):
        assert await llm("LLM.KNN store --TIMEOUT 50 text") is None


async def test_run_fills_in_and_shows_the_prompt(llm, model):
    await llm("LLM.CREATE-APP hello --LLM model --PROMPT", "Say hello to {{name}}")
    assert await llm("LLM.RUN hello --vars", '{"name":"LLM"}') == "You said: Say hello to LLM"
    assert await llm("LLM.RUN hello --VERBOSE --VARS", '{"name":"LLM"}') == (
        "Say hello to LLM\n\nYou said: Say hello to LLM"
    )
    with pytest.raises(PromptError, match="not given: name"):
        await llm("LLM.RUN hello")


async def test_another_model_at_run_time_is_taken(llm, model, openai):
    """redis-llm documents LLM.RUN --LLM and refuses it."""
    await llm("LLM.CREATE-LLM other --PARAMS", '{"chat": {"model": "other"}}')
    await llm("LLM.CREATE-APP hello --LLM model")
    await llm("LLM.RUN hello --LLM other Hi")
    await llm("LLM.RUN hello --LLM", '{"key": "other", "params": {"temperature": 0.1}}', "Hi")
    assert [chat["model"] for chat in openai.chats] == ["other", "other"]
    assert openai.chats[1]["temperature"] == 0.1


async def test_a_search_lists_the_sources_that_it_cites(llm, model, openai):
    openai.answer = lambda prompt: "The dog is called Rex [1]."
    await llm("LLM.CREATE-VECTOR-STORE docs --LLM model")
    await llm("LLM.ADD docs", "Rex is a dog")
    await llm("LLM.CREATE-SEARCH ask --LLM model --VECTOR-STORE docs --K 2")
    assert await llm("LLM.RUN ask", "Which dog?") == "The dog is called Rex [1].\n\n[1] item 1: Rex is a dog"


async def test_objects_are_keys_too(llm, model, client):
    await llm("LLM.CREATE-VECTOR-STORE store")
    await llm("LLM.ADD store --EMBEDDING 1,2 data")
    await llm("LLM.CREATE-APP hello --LLM model")
    commands = llm.commands
    assert [await commands.kind(key) for key in (b"model", b"store", b"hello", b"x", b"\xff")] == [
        "llm",
        "store",
        "app",
        None,
        None,
    ]
    soon = int((await client.time())[0] * 1000) + 100_000
    assert await commands.expire(b"store", soon)
    assert await commands.expires(b"store") == soon
    assert await commands.delete(b"store")
    assert not await commands.delete(b"store")
    assert await commands.delete(b"hello")
    assert await llm("LLM.SIZE store") == 0


# What redis-llm got wrong


async def test_ids_are_not_overwritten(llm):
    await llm("LLM.CREATE-VECTOR-STORE store")
    assert await llm("LLM.ADD store --ID 2 --EMBEDDING 1,2 own") == 2
    assert [await llm("LLM.ADD store --EMBEDDING 1,2 auto") for _ in range(3)] == [1, 3, 4]
    assert await llm(f"LLM.ADD store --ID {2**64 - 1} --EMBEDDING 1,2 last") == 2**64 - 1
    assert (await llm("LLM.GET store 2"))[0] == "own"
    assert (await llm(f"LLM.GET store {2**64 - 1}"))[0] == "last"


async def test_vectors_are_not_cut_to_six_decimals(llm):
    await llm("LLM.CREATE-VECTOR-STORE store")
    await llm("LLM.ADD store --EMBEDDING 0.123456789,1e-12,16777217 data")
    assert (await llm("LLM.GET store 1"))[1] == "0.12345679,1e-12,1.6777216e+07"
    await llm("LLM.CREATE-VECTOR-STORE exact --PARAMS", '{"dtype": "float64"}')
    await llm("LLM.ADD exact --EMBEDDING 0.123456789012345,1e-300,16777217 data")
    assert (await llm("LLM.GET exact 1"))[1] == "0.123456789012345,1e-300,16777217"


async def test_a_chat_remembers_and_everybody_has_a_history_of_their_own(llm, model, openai):
    await llm("LLM.CREATE-CHAT chat --LLM model")
    for user, word in (("ada", "Kyoto"), ("bob", "Paris")):
        await llm("LLM.RUN chat --PARAMS", json.dumps({"user": user}), f"I live in {word}")
    await llm("LLM.RUN chat --PARAMS", '{"user": "ada"}', "Where do I live?")
    assert "Kyoto" in openai.prompts[-1]
    assert "Paris" not in openai.prompts[-1]
    await llm("LLM.RUN chat --PARAMS", '{"user": "ada", "conversation": "work"}', "Where do I live?")
    assert "Kyoto" not in openai.prompts[-1]


async def test_no_conversation_can_be_named_like_somebody_s_own(llm, model, openai):
    await llm("LLM.CREATE-CHAT chat --LLM model")
    await llm("LLM.RUN chat --PARAMS", '{"user": "ada"}', "I live in Kyoto")
    await llm("LLM.RUN chat --PARAMS", json.dumps({"conversation": '["main", "ada"]'}), "Where do I live?")
    assert "Kyoto" not in openai.prompts[-1]


async def test_what_a_chat_answers_is_remembered_before_the_next_message(llm, model, openai):
    openai.answer = lambda prompt: "Try redis-py."
    await llm("LLM.CREATE-CHAT chat --LLM model")
    await llm("LLM.RUN chat", "Which client?")
    await llm("LLM.RUN chat", "What did you say?")
    assert {"role": "assistant", "content": "Try redis-py."} in openai.chats[-1]["messages"]


async def test_nobody_waits_while_a_model_thinks(llm, model, openai):
    """redis-llm holds an app's lock while its model is asked."""
    await llm("LLM.CREATE-CHAT chat --LLM model")
    openai.let_go = asyncio.Event()
    running = [asyncio.create_task(llm("LLM.RUN chat", f"Hello {number}")) for number in range(20)]
    while openai.busy < 20:
        await asyncio.sleep(0.01)
    openai.let_go.set()
    assert len(await asyncio.gather(*running)) == 20


async def test_a_chat_s_own_prompt_and_parameters_are_taken(llm, model, openai):
    await llm("LLM.CREATE-CHAT chat --LLM model --PROMPT", "You are a pirate. Before: {{history}}")
    await llm("LLM.RUN chat --PARAMS", '{"temperature": 0.2}', "Hello")
    assert openai.chats[0]["messages"][0] == {"role": "system", "content": "You are a pirate. Before:"}
    assert openai.chats[0]["temperature"] == 0.2


async def test_a_chat_s_own_prompt_has_variables_of_its_own(llm, model, openai):
    await llm("LLM.CREATE-CHAT chat --LLM model --PROMPT", "You are a {{role}} for {{person}}.")
    await llm("LLM.RUN chat --VARS", '{"role": "pirate", "person": "nobody"}', "--PARAMS", '{"user": "Ada"}', "Hello")
    assert openai.chats[0]["messages"][0]["content"] == "You are a pirate for Ada."
    with pytest.raises(PromptError, match="the prompt of chat uses variables that are not given: role"):
        await llm("LLM.RUN chat", "Who is there?")
    await llm("LLM.RUN chat --VARS", '{"role": "pirate"}', "Hello")
    assert "Who is there?" not in openai.prompts[-1]


async def test_a_chat_knows_what_its_store_holds(llm, model, openai):
    await llm("LLM.CREATE-VECTOR-STORE docs --LLM model")
    await llm("LLM.ADD docs", "Rex is a dog")
    await llm("LLM.CREATE-CHAT chat --LLM model --VECTOR-STORE docs")
    await llm("LLM.RUN chat", "Which dog?")
    assert "Rex is a dog" in openai.prompts[-1]


def test_options_stand_anywhere_in_any_case():
    given = [b"--k", b"3", b"store", b"--Embedding", b"1,2", b"text"]
    told = parse("LLM.KNN", given, options=("--K", "--EMBEDDING"), least=1, most=2)
    assert (told.plain, dict(told.values)) == (("store", "text"), {"--K": "3", "--EMBEDDING": "1,2"})


def test_an_argument_that_is_no_text_is_told():
    with pytest.raises(CommandError, match="not UTF-8"):
        parse("LLM.ADD", [b"\xff"])
