"""Chat over OpenAI's API, on real sockets: what a reply is, and how every way to break one is told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from bot.errors import (
    ModelBusy,
    ModelError,
    ModelRefusesKey,
    ModelUnavailable,
    ModelUnknown,
    PromptRefused,
    ReplyBroken,
    ReplyFiltered,
)
from bot.models.base import Finished, Message, Piece
from bot.models.endpoint import Endpoint
from bot.models.openai_chat import OpenAIChat
from tests.bot.model_server import DONE, USAGE, Llmock, ModelServer, Say, chunk, llmock

KEY = "sk-very-secret"
HELLO = [Message("system", "Be kind."), Message("user", "Hello")]
WHOLE = Say(events=(chunk("Hel", role="assistant"), chunk("lo"), chunk(finish="stop"), USAGE, DONE))


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        server.will(WHOLE)
        yield server


@pytest.fixture(scope="module")
def mock() -> Iterator[Llmock]:
    with llmock() as mock:
        yield mock


def endpoint(address: str, **changes: object) -> Endpoint:
    told = {"base_url": f"{address}/v1", "api_key": SecretStr(KEY), "max_retries": 0, "stall_timeout": 5.0}
    return Endpoint(**{**told, **changes})  # type: ignore[arg-type]


async def reply(endpoint: Endpoint, messages: list[Message] = HELLO, name: str = "gpt-4o") -> list[Piece | Finished]:
    chat = OpenAIChat(endpoint, name)
    try:
        return [event async for event in chat.stream(messages, max_tokens=50)]
    finally:
        await chat.close()


async def broken(endpoint: Endpoint, name: str = "gpt-4o") -> ModelError:
    """Return the error that a reply ends with."""
    with pytest.raises(ModelError) as caught:
        await reply(endpoint, name=name)
    assert KEY not in str(caught.value)
    return caught.value


async def test_a_reply_comes_in_pieces_and_ends_with_its_token_counts(server: ModelServer) -> None:
    assert await reply(endpoint(server.address)) == [Piece("Hel"), Piece("lo"), Finished(False, 7, 2)]
    (seen,) = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.body == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
    }


async def test_a_reply_at_its_token_limit_says_that_it_was_cut(server: ModelServer) -> None:
    server.will(Say(events=(chunk("Hel"), chunk(finish="length"), DONE)))
    assert await reply(endpoint(server.address)) == [Piece("Hel"), Finished(cut=True)]


async def test_a_reply_is_whole_once_it_has_its_finish_reason(server: ModelServer) -> None:
    server.will(Say(events=(chunk("Hello"), chunk(finish="stop")), then="drop"))
    assert await reply(endpoint(server.address)) == [Piece("Hello"), Finished()]


async def test_a_refusal_is_shown_as_text(server: ModelServer) -> None:
    server.will(Say(events=(chunk(refusal="I can't."), chunk(finish="stop"), DONE)))
    assert await reply(endpoint(server.address)) == [Piece("I can't."), Finished()]


async def test_lone_surrogates_are_sent_as_question_marks(server: ModelServer) -> None:
    await reply(endpoint(server.address), [Message("user", "a\ud800b")])
    assert server.seen[0].body["messages"] == [{"role": "user", "content": "a?b"}]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Say(events=(chunk("Hel"),)), "truncated"),
        (Say(events=(chunk("Hel"),), then="drop"), "connection was lost"),
        (Say(events=(chunk("Hel"),), then="hang"), "stalled"),
        (Say(events=(chunk("Hel"),), then="ping"), "stalled"),
        (Say(events=(chunk("Hel"), 'data: {"choices": [{"del\n\n')), "malformed"),
        (Say(events=(chunk("Hel"), "data: 5\n\n")), "malformed"),
        (Say(events=(chunk("Hel"), 'data: {"choices": [5]}\n\n')), "malformed"),
        (Say(events=(chunk("Hel"), 'data: {"choices": {"0": 5}}\n\n')), "malformed"),
        (Say(events=(chunk("Hel"), 'data: {"choices": [{"delta": ["lo"]}]}\n\n')), "malformed"),
        (Say(events=(chunk("Hel"), 'data: {"choices": [{"delta": {"content": 5}}]}\n\n')), "malformed"),
        (Say(events=(chunk("Hel"), 'data: {"error": {"message": "out of memory"}}\n\n')), "out of memory"),
        (Say(events=(DONE,)), "truncated"),
    ],
)
async def test_a_reply_that_is_not_whole_is_broken_and_says_how(server: ModelServer, said: Say, told: str) -> None:
    server.will(said)
    error = await broken(endpoint(server.address, stall_timeout=0.3))
    assert isinstance(error, ReplyBroken)
    assert told in str(error)


async def test_a_model_that_only_thinks_does_not_stall(server: ModelServer) -> None:
    thoughts = [chunk(reasoning_content="hm")] * 3
    server.will(Say(events=(*thoughts, chunk("Hello", finish="stop"), DONE)))
    assert await reply(endpoint(server.address)) == [Piece("Hello"), Finished()]


@pytest.mark.parametrize(
    "said",
    [
        Say(events=(chunk("Hel"), chunk(finish="content_filter"), DONE)),
        Say(400, {"error": {"code": "content_filter", "message": "filtered", "innererror": {"code": "x"}}}),
        Say(events=('data: {"error": {"code": "content_filter", "message": "filtered"}}\n\n',)),
    ],
)
async def test_a_content_filter_is_told_as_such(server: ModelServer, said: Say) -> None:
    server.will(said)
    assert isinstance(await broken(endpoint(server.address)), ReplyFiltered)


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        (Say(401, {"error": {"message": f"Incorrect API key {KEY}"}}), ModelRefusesKey, "set OPENAI_API_KEY"),
        (Say(403, {"error": {"message": "no permission"}}), ModelRefusesKey, "403"),
        (Say(404, {"error": {"message": f"no model for {KEY}"}}), ModelUnknown, "LOREBOT_CHAT_MODEL"),
        (Say(429, {"error": {"message": "slow"}}, headers={"retry-after": "7"}), ModelBusy, "in 7 s"),
        (Say(429, {"error": {"code": "insufficient_quota", "message": "pay"}}), ModelBusy, "billing"),
        (Say(400, {"error": {"code": "context_length_exceeded", "message": "long"}}), PromptRefused, "too long"),
        (Say(400, {"error": {"message": "bad temperature"}}), PromptRefused, "bad temperature"),
        (Say(500, {"error": {"message": "oops"}}), ModelUnavailable, "oops"),
        (Say(503, "not even an object"), ModelUnavailable, "503"),
    ],
)
async def test_a_refused_request_names_its_fix(server: ModelServer, said: Say, kind: type, told: str) -> None:
    server.will(said)
    error = await broken(endpoint(server.address))
    assert type(error) is kind
    assert told in str(error)
    assert error.__cause__ is not None


async def test_nothing_at_the_address_names_the_address(unused_tcp_port: int) -> None:
    error = await broken(endpoint(f"http://user:hunter2@127.0.0.1:{unused_tcp_port}"))
    assert isinstance(error, ModelUnavailable)
    assert f"http://127.0.0.1:{unused_tcp_port}/v1 can't be reached" in str(error)
    assert "hunter2" not in str(error)


async def test_a_server_that_never_answers_is_unavailable(server: ModelServer) -> None:
    server.will(Say(then="hang"))
    error = await broken(endpoint(server.address, stall_timeout=0.2))
    assert isinstance(error, ReplyBroken | ModelUnavailable)


async def test_a_server_that_knows_fewer_parameters_still_answers(server: ModelServer) -> None:
    server.will(
        Say(400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}}),
        Say(422, {"detail": [{"loc": ["body", "max_tokens"], "msg": "Extra inputs are not permitted"}]}),
        WHOLE,
    )
    chat = OpenAIChat(endpoint(server.address), "small")
    for _ in range(2):
        assert [event async for event in chat.stream(HELLO, max_tokens=50)][-1] == Finished(False, 7, 2)
    assert [set(seen.body) - {"model", "messages", "stream"} for seen in server.seen] == [
        {"stream_options", "max_tokens"},
        {"max_tokens"},
        {"max_completion_tokens"},
        {"max_completion_tokens"},
    ]
    await chat.close()


async def test_a_complaint_about_a_value_is_not_answered_with_another_parameter(server: ModelServer) -> None:
    server.will(Say(400, {"error": {"message": "max_tokens is too large: 50"}}))
    assert isinstance(await broken(endpoint(server.address)), PromptRefused)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("credentials", "version", "path", "header"),
    [
        ({"api_key": SecretStr(KEY)}, "2024-10-21", "classic", ("api-key", KEY)),
        ({"ad_token": SecretStr(KEY), "api_key": None}, "2024-10-21", "classic", ("authorization", f"Bearer {KEY}")),
        ({"api_key": SecretStr(KEY)}, None, "v1", ("authorization", f"Bearer {KEY}")),
        ({"ad_token": SecretStr(KEY), "api_key": None}, None, "v1", ("authorization", f"Bearer {KEY}")),
    ],
)
async def test_azure_is_reached_by_both_of_its_ways(
    server: ModelServer, credentials: dict[str, object], version: str | None, path: str, header: tuple[str, str]
) -> None:
    where = endpoint(server.address, kind="azure", base_url=server.address, api_version=version, **credentials)
    assert (await reply(where, name="my-deployment"))[-1] == Finished(False, 7, 2)
    (seen,) = server.seen
    paths = {
        "classic": "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21",
        "v1": "/openai/v1/chat/completions",
    }
    assert seen.path == paths[path]
    assert seen.headers[header[0]] == header[1]
    assert seen.body["model"] == "my-deployment"
    assert seen.body["max_completion_tokens"] == 50


async def test_azures_v1_address_may_be_given_whole(server: ModelServer) -> None:
    await reply(
        endpoint(server.address, kind="azure", base_url=f"{server.address}/openai/v1/", api_version="2024-10-21")
    )
    assert server.seen[0].path == "/openai/v1/chat/completions"


async def test_azures_missing_deployment_is_called_one(server: ModelServer) -> None:
    server.will(Say(404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist"}}))
    error = await broken(endpoint(server.address, kind="azure", base_url=server.address, api_version="2024-10-21"))
    assert "knows no deployment gpt-4o" in str(error)
    server.will(Say(401, {"error": {"message": "denied"}}))
    error = await broken(endpoint(server.address, kind="azure", base_url=server.address, api_version="2024-10-21"))
    assert "set AZURE_OPENAI_API_KEY" in str(error)


async def test_closing_the_iterator_closes_the_connection(server: ModelServer) -> None:
    server.will(Say(events=(chunk("Hel"),), then="hang"))
    chat = OpenAIChat(endpoint(server.address), "gpt-4o")
    async with aclosing(chat.stream(HELLO, max_tokens=50)) as events:  # type: ignore[type-var]
        assert await anext(events) == Piece("Hel")
    await asyncio.wait_for(server.gone.wait(), 1)
    await chat.close()


@pytest.mark.parametrize("events", [(), (chunk("Hel"),)])
async def test_cancelling_closes_the_connection_even_before_the_reply(server: ModelServer, events: tuple[str]) -> None:
    server.will(Say(events=events, then="hang"))
    task = asyncio.create_task(reply(endpoint(server.address)))
    while not server.seen:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.gone.wait(), 1)


async def test_llmock_streams_a_reply(mock: Llmock) -> None:
    mock.will({"type": "reply", "text": "Hello there"})
    events = await reply(endpoint(mock.address))
    assert "".join(event.text for event in events if isinstance(event, Piece)) == "Hello there"
    assert isinstance(events[-1], Finished)
    assert events[-1].prompt_tokens


async def test_a_busy_model_is_asked_again_when_it_says_so(mock: Llmock) -> None:
    mock.will({"type": "fail", "status": 429, "retry_after": 1}, {"type": "reply", "text": "Now"})
    assert Piece("Now") in await reply(endpoint(mock.address, max_retries=2))
    assert mock.requests() == 2


async def test_a_model_that_stays_busy_is_given_up(mock: Llmock) -> None:
    mock.will({"type": "fail", "status": 429, "retry_after": 1, "times": None})
    assert isinstance(await broken(endpoint(mock.address, max_retries=1)), ModelBusy)
    assert mock.requests() == 2


@pytest.mark.parametrize("fault", ["truncate", "stall", "malformed", "disconnect"])
async def test_a_broken_stream_is_not_asked_again(mock: Llmock, fault: str) -> None:
    mock.will({"type": "stream_fault", "kind": fault, "after_chunks": 2, "stall_seconds": 2})
    assert isinstance(await broken(endpoint(mock.address, max_retries=2, stall_timeout=0.5)), ReplyBroken)
    assert mock.requests() == 1
