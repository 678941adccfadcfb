"""A server that speaks OpenAI's API on loopback: it answers by a rule of the test's, as slowly as wanted."""

import asyncio
import base64
import json
import re
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fakes import ToyEmbedder


class OpenAILike:
    """Streams `answer(prompt)`, embeds with the toy embedder, and notes what it was sent."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.answer: Callable[[str], str | list[str]] = lambda prompt: f"You said: {prompt}"  # or its very pieces
        self.delay = 0.0
        self.pieces, self.pause = 2, 0.0  # of an answer, and the seconds between one and the next
        self.came: list[float] = []  # when each chat was asked for; of time.monotonic, as all moments here
        self.left: list[float] = []  # when somebody left amid an answer
        self.chats: list[dict[str, Any]] = []
        self.embeddings: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.busy = self.busiest = 0
        self.first = ""  # said before it waits to be let go
        self.let_go: asyncio.Event | None = None

    async def __aenter__(self) -> "OpenAILike":
        app = web.Application(client_max_size=50 * 1024 * 1024)  # OpenAI's for a request with images
        app.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1000, ssl_context=self._tls)
        await site.start()
        self.address = f"http{'s' if self._tls else ''}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def forget(self) -> None:
        """Be as new: it was asked nothing, and answers at once."""
        for noted in (self.chats, self.embeddings, self.paths, self.keys):
            noted.clear()
        self.delay, self.first, self.let_go, self.busiest = 0.0, "", None, 0
        self.pieces, self.pause = 2, 0.0

    @property
    def prompts(self) -> list[str]:
        """The prompts, each as one text."""
        return ["\n".join(_text(message["content"]) for message in chat["messages"]) for chat in self.chats]

    @property
    def images(self) -> list[list[tuple[str, bytes]]]:
        """The images of each prompt: what they are, and their bytes."""
        contents = [[message["content"] for message in chat["messages"]] for chat in self.chats]
        parts = [[part for one in some if isinstance(one, list) for part in one] for some in contents]
        return [[_image(part["image_url"]) for part in some if part["type"] == "image_url"] for some in parts]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.paths.append(request.path_qs)
        self.keys.append(request.headers.get("authorization", "") or request.headers.get("api-key", ""))
        if "messages" in body:
            return await self._chat(request, body)
        self.embeddings.append(body)
        rows = await ToyEmbedder().embed(body["input"])
        data = [{"object": "embedding", "index": at, "embedding": row.tolist()} for at, row in enumerate(rows)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def _chat(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        self.chats.append(body)
        self.came.append(time.monotonic())
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(self.delay)
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            if self.first:
                await response.prepare(request)
                await response.write(_event({"content": self.first}))
            if self.let_go is not None:
                await self.let_go.wait()
            answer = self.answer(self.prompts[-1] if not self.delay else _text(body["messages"][-1]["content"]))
            if not response.prepared:
                await response.prepare(request)
            for number, piece in enumerate(answer if isinstance(answer, list) else _cut(answer, self.pieces)):
                await asyncio.sleep(self.pause if number else 0)
                await response.write(_event({"content": piece}))
            await response.write(_event({}, "stop") + b"data: [DONE]\n\n")
            return response
        except asyncio.CancelledError:
            self.left.append(time.monotonic())
            raise
        finally:
            self.busy -= 1


def _cut(answer: str, pieces: int) -> list[str]:
    cuts = [len(answer) * number // pieces for number in range(pieces + 1)]
    return [answer[start:end] for start, end in pairwise(cuts)]


def _text(content: str | list[dict[str, Any]]) -> str:
    """Return a message's text; raises KeyError where a part is none of those that OpenAI knows."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _image(given: dict[str, str]) -> tuple[str, bytes]:
    """Return what a data: URL holds, as OpenAI reads it."""
    assert given["detail"] in ("auto", "high", "low")
    found = re.fullmatch(r"data:(image/(?:png|jpeg|gif|webp));base64,(.+)", given["url"])
    assert found
    return found[1], base64.b64decode(found[2], validate=True)


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return what a server shows that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(secret + made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'id': '1', 'object': 'chat.completion.chunk', 'choices': choices})}\n\n".encode()
