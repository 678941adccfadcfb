"""Model servers for tests: one that says exactly what a test wants on a real socket, and llmock with its faults."""

import asyncio
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Seen:
    """A request that arrived. headers: by lower-case name."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Say:
    """An answer: JSON with a status, or events and what follows them."""

    status: int = 200
    body: Any = None
    events: tuple[str, ...] = ()
    then: Literal["end", "drop", "hang", "ping"] = "end"
    headers: dict[str, str] = field(default_factory=dict)


def chunk(text: str | None = None, finish: str | None = None, **delta: Any) -> str:
    """Return the event of a piece of a reply."""
    told = delta | ({} if text is None else {"content": text})
    choices = [{"index": 0, "delta": told, "finish_reason": finish}]
    return "data: " + json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": choices}) + "\n\n"


USAGE = 'data: {"id": "1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}\n\n'
DONE = "data: [DONE]\n\n"


class ModelServer:
    """Says one answer a request, the last one again and again; `gone` is set when a client has left amid an answer."""

    def __init__(self) -> None:
        self.answers: list[Say] = []
        self.seen: list[Seen] = []
        self.gone = asyncio.Event()
        self.address = ""

    async def __aenter__(self) -> "ModelServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    def will(self, *answers: Say) -> None:
        self.answers = list(answers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.seen.append(await _request(reader))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await self._answer(answer, reader, writer)
        except asyncio.IncompleteReadError:  # whoever came asked nothing
            pass
        finally:
            writer.close()

    async def _answer(self, answer: Say, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not answer.events and answer.then == "end":
            body = json.dumps(answer.body).encode()
            head = {"content-type": "application/json", "content-length": str(len(body))} | answer.headers
            writer.write(_head(answer.status, head) + body)
            await writer.drain()
            return
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | answer.headers))
        for event in answer.events:
            writer.write(_chunked(event))
        await writer.drain()
        left = asyncio.create_task(reader.read())
        while answer.then in ("hang", "ping"):
            if answer.then == "ping":
                writer.write(_chunked(": ping\n\n"))
            done, _ = await asyncio.wait([left], timeout=0.02)
            if done:
                self.gone.set()
                return
        left.cancel()
        if answer.then == "end":
            writer.write(b"0\r\n\r\n")
            await writer.drain()


async def _request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(head[0].split(" ")[1], headers, json.loads(body or b"{}"))


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _chunked(text: str) -> bytes:
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


class Llmock:
    """llmock, an independent mock of OpenAI's API that breaks on demand."""

    def __init__(self, address: str) -> None:
        self.address = address

    def will(self, *behaviors: dict[str, Any]) -> None:
        """Forget what was, and behave so from the next request on."""
        self._post("reset", {})
        if behaviors:
            self._post("scenario", {"behaviors": behaviors})

    def requests(self) -> int:
        with urllib.request.urlopen(f"{self.address}/_llmock/requests", timeout=10) as answer:
            return int(json.load(answer)["count"])

    def _post(self, what: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(f"{self.address}/_llmock/{what}", json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def llmock() -> Iterator[Llmock]:
    """Run llmock on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = [sys.executable, "-c", "from llmock.cli import app; app()", "serve", "--port", str(port)]
    process = subprocess.Popen(
        [*serve, "--log-level", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr
        for line in process.stderr:
            if "running on" in line:
                break
        yield Llmock(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.communicate()
