"""The unmodified `lorebot resp`, spoken to by redis-cli and redis-py; apps and stores from the command line."""

import asyncio
import json
import shutil
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import redis.asyncio

from tests.openai_like import OpenAILike
from tests.platforms.home import Home

GETTING_STARTED = """
LLM.CREATE-LLM model --TYPE openai --PARAMS '{"api_key" : "$OPENAI_API_KEY"}'
LLM.CREATE-APP hello-world --LLM model --PROMPT 'Say hello to {{name}}'
LLM.RUN hello-world --vars '{"name":"LLM"}'
LLM.CREATE-VECTOR-STORE store --LLM model
LLM.ADD store 'Rex is a dog'
LLM.ADD store 'I drink tea'
LLM.SIZE store
LLM.KNN store --K 1 'my puppy'
LLM.CREATE-SEARCH search-private-data --LLM model --VECTOR-STORE store
LLM.RUN search-private-data 'What is the dog called?'
LLM.CREATE-CHAT chat --LLM model --VECTOR-STORE store
LLM.RUN chat 'Hello'
LLM.RUN hello-world
"""


class Served:
    """A running `lorebot resp`."""

    def __init__(self, home: Home, process: asyncio.subprocess.Process, port: int) -> None:
        self.home = home
        self.process = process
        self.port = port

    def client(self, **options: object) -> "redis.asyncio.Redis":
        return redis.asyncio.Redis(port=self.port, **options)  # type: ignore[arg-type]

    async def typed(self, lines: str) -> list[str]:
        """Type lines into redis-cli and return what it prints."""
        pipe = asyncio.subprocess.PIPE
        cli = await asyncio.create_subprocess_exec("redis-cli", "-p", str(self.port), stdin=pipe, stdout=pipe)
        out, _ = await asyncio.wait_for(cli.communicate(lines.encode()), 60)
        return [line for line in out.decode().splitlines() if line]

    async def ends(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)


@pytest.fixture
async def openai() -> AsyncIterator[OpenAILike]:
    async with OpenAILike() as server:
        yield server


@pytest.fixture
async def serve(home: Home, openai: OpenAILike) -> AsyncIterator[Callable]:
    """Start `lorebot resp` on a free port."""
    home.settings |= {"OPENAI_BASE_URL": f"{openai.address}/v1", "OPENAI_API_KEY": "sk-test"}
    started: list[Served] = []

    async def start() -> Served:
        process = await home.start("resp", "--port", "0")
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert line.startswith("Listening on 127.0.0.1:"), line + (await process.communicate())[1].decode()
        started.append(Served(home, process, int(line.rpartition(":")[2])))
        return started[-1]

    yield start
    for one in started:
        if one.process.returncode is None:
            one.process.kill()
            await one.process.wait()


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="needs redis-cli")
async def test_redis_llm_s_getting_started_works_typed_into_redis_cli(serve, openai):
    def answer(prompt: str) -> str:
        return "Rex [1]." if "Sources:" in prompt else "Hello!"

    openai.answer = answer
    served = await serve()
    assert {"LLM", "search"} <= set(await served.typed("MODULE LIST\n"))
    assert await served.typed(GETTING_STARTED) == [
        *("1", "1", "Hello!"),
        *("1", "1", "2", "2", "1", *(await served.typed("LLM.KNN store --K 1 'my puppy'"))[1:]),
        *("1", "Rex [1].", "[1] item 1: Rex is a dog"),
        *("1", "Hello!"),
        "ERR the prompt of hello-world uses variables that are not given: name",
    ]
    assert await served.ends() == 0


async def test_it_stays_when_the_terminal_of_nohup_closes(serve):
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        served = await serve()
    finally:
        signal.signal(signal.SIGHUP, usual)
    for _ in range(20):
        served.process.send_signal(signal.SIGHUP)
        async with served.client() as client:
            assert await client.ping()
    assert await served.ends() == 0


async def test_a_chat_s_history_survives_kill_9_of_all(serve, openai):
    served = await serve()
    client = served.client()
    await client.execute_command("LLM.CREATE-LLM", "model")
    await client.execute_command("LLM.CREATE-CHAT", "chat", "--LLM", "model")
    await client.execute_command("LLM.RUN", "chat", "I live in Kyoto")
    await client.aclose()
    served.process.kill()
    await served.process.wait()
    await served.home.kill_redis()
    client = (await serve()).client()
    await client.execute_command("LLM.RUN", "chat", "Where do I live?")
    await client.aclose()
    assert "I live in Kyoto" in openai.prompts[-1]


async def test_long_conversations_are_summarised_beside_and_nothing_falls_between(serve, openai):
    def summarising() -> list[str]:
        return [prompt for prompt in openai.prompts if prompt.startswith("Write a concise")]

    openai.answer = lambda prompt: "They count." if prompt in summarising() else "Go on."
    client = (await serve()).client()
    await client.execute_command("LLM.CREATE-LLM", "model")
    history = json.dumps({"summary_cnt": 6, "msg_ctx_cnt": 2})
    await client.execute_command("LLM.CREATE-CHAT", "chat", "--LLM", "model", "--HISTORY", history)
    said = [f"word{number:02}" for number in range(12)]
    for at, word in enumerate(said):
        await client.execute_command("LLM.RUN", "chat", f"My word is {word}")
        prompt = next(one for one in reversed(openai.prompts) if one not in summarising())
        assert [one for one in said[:at] if one not in prompt and one not in "".join(summarising())] == []
    async with asyncio.timeout(20):
        while len(summarising()) < 4:  # 24 messages, 6 a summary
            await asyncio.sleep(0.01)
    await client.aclose()


async def test_sigterm_answers_what_is_under_way(serve, openai):
    served = await serve()
    client = served.client()
    await client.execute_command("LLM.CREATE-LLM", "model")
    await client.execute_command("LLM.CREATE-APP", "hello", "--LLM", "model")
    openai.let_go = asyncio.Event()
    running = asyncio.create_task(client.execute_command("LLM.RUN", "hello", "Hi"))
    while not openai.busy:
        await asyncio.sleep(0.01)
    served.process.send_signal(signal.SIGTERM)
    openai.let_go.set()
    assert await running == b"You said: Hi"
    assert await asyncio.wait_for(served.process.wait(), 30) == 0
    await client.aclose()


async def test_a_port_that_is_taken_and_a_host_without_password_are_one_sentence(serve, home):
    served = await serve()
    ran = await home.run("resp", "--port", str(served.port))
    assert (ran.code, ran.err) == (
        1,
        f"lorebot: port {served.port} on 127.0.0.1 is taken; set LOREBOT_RESP_PORT to a free one\n",
    )
    ran = await home.run("resp", "--host", "0.0.0.0", "--port", "0")
    assert ran.code == 1
    assert "LOREBOT_RESP_PASSWORD" in ran.err


async def test_apps_and_stores_are_made_filled_and_run_on_the_command_line(serve, home, openai):
    openai.answer = lambda prompt: "Rex [1]." if "Sources:" in prompt else f"You said: {prompt}"
    served = await serve()  # keeps the embedded Redis warm, and sees what the command line makes
    lorebot = home.run
    assert (await lorebot("llm", "create", "gpt", "-p", "api_key=$OPENAI_API_KEY")).out == "The model gpt is made.\n"
    told = (await lorebot("llm", "show", "gpt")).out.splitlines()
    assert {"name: gpt", "owner: whoever runs the bot", "shared: no"} <= set(told)
    clear = await lorebot("llm", "create", "clear", "-p", "api_key=sk-in-clear")
    assert (clear.code, "LOREBOT_SECRET_KEY" in clear.err, "sk-in-clear" in clear.err) == (1, True, False)
    assert (await lorebot("app", "create", "hello", "--llm", "gpt", "--prompt", "Say hello to {{name}}")).code == 0
    assert (await lorebot("run", "hello", "--var", "name=1.10")).out == "You said: Say hello to 1.10\n"
    lines = '{"text": "Rex is a dog", "metadata": {"lang": "en"}}\n{"text": "Thé", "metadata": {"lang": "fr"}}\n'
    (home.folder / "items.jsonl").write_text(lines)
    assert (await lorebot("store", "create", "docs", "--llm", "gpt")).code == 0
    assert (await lorebot("store", "add", "docs", "--file", "items.jsonl")).out == "2 items added.\n"
    assert (await lorebot("store", "add", "docs", "I drink tea", "--id", "7")).out == "7\n"
    found = json.loads((await lorebot("store", "knn", "docs", "puppy", "-k", "1", "--where", "lang=en", "--json")).out)
    assert [(one["id"], one["text"]) for one in found] == [(1, "Rex is a dog")]
    assert (await lorebot("app", "create", "ask", "--type", "search", "--store", "docs", "--llm", "gpt")).code == 0
    ran = json.loads((await lorebot("run", "ask", "Which dog?", "--json")).out)
    assert (ran["answer"], [one["id"] for one in ran["sources"]]) == ("Rex [1].", [1])
    client = served.client()
    assert await client.execute_command("LLM.SIZE", "docs") == 3
    await client.aclose()
    listed = json.loads((await lorebot("app", "list", "--json")).out)
    assert [one["name"] for one in listed] == ["ask", "hello"]


@pytest.mark.soak
async def test_the_gateway_under_load(serve, openai, capsys):
    """1,000 clients, 100 of which chat at once with a model that takes 2 s; KNN beside FT.SEARCH straight to Redis."""
    openai.answer, openai.delay = (lambda prompt: "Hello!"), 2.0
    served = await serve()
    one = served.client()
    await one.execute_command("LLM.CREATE-LLM", "model")
    await one.execute_command("LLM.CREATE-CHAT", "chat", "--LLM", "model")
    await one.execute_command("LLM.RUN", "chat", "Warm up")
    clients = [served.client() for _ in range(1000)]
    await asyncio.gather(*(client.ping() for client in clients))
    pings: list[float] = []

    async def pinging() -> None:
        while True:
            pings.append(await _timed(one.ping()))
            await asyncio.sleep(0.005)

    beside = asyncio.create_task(pinging())
    runs = await asyncio.gather(
        *(
            _timed(client.execute_command("LLM.RUN", "chat", "--PARAMS", json.dumps({"user": f"u{at}"}), "Hello"))
            for at, client in enumerate(clients[:100])
        )
    )
    beside.cancel()
    straight = redis.asyncio.Redis(unix_socket_path=str(served.home.server.socket))
    knn, search = await _compared(one, straight)
    with capsys.disabled():
        print(f"\n100 chats at once: p50 {_ms(runs, 50)} p95 {_ms(runs, 95)} ms (the model takes 2000)")
        print(f"PING meanwhile: p50 {_ms(pings, 50)} p99 {_ms(pings, 99)} ms, {len(pings)} times")
        print(f"LLM.KNN {_ms(knn, 50)} ms, FT.SEARCH straight {_ms(search, 50)} ms (p50)")
    for client in (*clients, one, straight):
        await client.aclose()


async def _compared(gateway: "redis.asyncio.Redis", straight: "redis.asyncio.Redis") -> tuple[list[float], list[float]]:
    """Return the seconds that LLM.KNN takes, and the same search sent straight to Redis."""
    draw = np.random.default_rng(1)
    await gateway.execute_command("LLM.CREATE-VECTOR-STORE", "bench")
    for number in range(1000):
        vector = ",".join(map(str, draw.normal(size=384).astype(np.float32)))
        await gateway.execute_command("LLM.ADD", "bench", "--EMBEDDING", vector, f"text {number}")
    index = next(name for name in await straight.execute_command("FT._LIST") if b":store:" in name)
    query = "*=>[KNN 10 @vector $vector AS distance]"
    knn: list[float] = []
    search: list[float] = []
    for _ in range(500):
        vector = draw.normal(size=384).astype(np.float32)
        text = ",".join(map(str, vector))
        knn.append(await _timed(gateway.execute_command("LLM.KNN", "bench", "--EMBEDDING", text)))
        asked = ("RETURN", 1, "distance", "SORTBY", "distance", "LIMIT", 0, 10, "PARAMS", 2, "vector", vector.tobytes())
        search.append(await _timed(straight.execute_command("FT.SEARCH", index, query, *asked, "DIALECT", 2)))
    return knn, search


async def _timed(doing) -> float:
    start = time.perf_counter()
    await doing
    return time.perf_counter() - start


def _ms(seconds: list[float], percentile: int) -> str:
    if percentile == 50:
        return f"{statistics.median(seconds) * 1000:.2f}"
    return f"{statistics.quantiles(seconds, n=100)[percentile - 1] * 1000:.2f}"
