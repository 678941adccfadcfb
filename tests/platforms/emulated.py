"""Another small Slack, which others made: the npm package emulate, for a second opinion on ours."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

PACKAGE = "emulate@0.12.1"
ADMIN, TEAM, CHANNEL, ELSEWHERE = "U000000001", "T000000001", "C000000001", "C000000002"  # those that it begins with
BOT, BOT_USER = "B0LOREBOT", "U0LOREBOT"
TOKEN, PERSONS_TOKEN, SECRET = "xoxb-1-1-emulated", "xoxp-1-1-emulated", "emulated-signing-secret"

# Its command line takes a newer Node than many have; what the package exports does not.
STARTS = """
import { createEmulator } from "emulate";
const { url } = await createEmulator({
  service: "slack", port: Number(process.env.PORT_OF_SLACK), seed: JSON.parse(process.env.SEED_OF_SLACK),
});
console.log(url);
"""
SEED = {
    "slack": {
        "signing_secret": SECRET,
        "oauth_apps": [
            {
                "client_id": "1.1",
                "client_secret": "none",
                "app_id": "A0LOREBOT",
                "name": "Lorebot",
                "redirect_uris": [],
                "bot_id": BOT,
                "bot_user_id": BOT_USER,
                "bot_name": "lorebot",
            }
        ],
        "tokens": [
            {"token": TOKEN, "type": "bot", "user_id": BOT_USER, "bot_id": BOT, "bot_user_id": BOT_USER},
            {"token": PERSONS_TOKEN, "type": "user", "user_id": ADMIN},
        ],
    }
}


class Emulated:
    """Its Web API, which takes arguments only in the body of a POST: Slack takes them in the address too, and by GET.

    It tells nobody of events unless a program that it runs in does, so tests tell the app what they did there.
    `api` is what SLACK_API_URL says; asked: the methods that were called.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.asked: list[str] = []

    async def __aenter__(self) -> "Emulated":
        self._session = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._pass_on)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.api = f"http://127.0.0.1:{self._runner.addresses[0][1]}/api/"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.asked.append(method)
        args = dict(request.query)
        if request.content_type == "application/json":
            args |= await request.json() if request.can_read_body else {}
        else:
            args |= dict(await request.post())  # type: ignore[arg-type]
        token = request.headers.get("Authorization") or f"Bearer {args.pop('token', '')}"
        headers = {"Authorization": token}
        async with self._session.post(f"{self._url}/api/{method}", json=args, headers=headers) as answered:
            if answered.status == 404:
                return web.json_response({"ok": False, "error": "unknown_method"})  # as Slack says it
            return web.Response(body=await answered.read(), status=answered.status, content_type=answered.content_type)


async def installed(folder: Path) -> Path:
    """Install the package into a folder; skip the test where npm or the package cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed")
    quietly = ("--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--loglevel", "error")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        npm, "install", *quietly, "--prefix", str(folder), PACKAGE, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), 40)
    except TimeoutError:
        process.kill()
        await process.wait()
        pytest.skip(f"{PACKAGE} cannot be installed in 40 s")
    if process.returncode:
        pytest.skip(f"{PACKAGE} cannot be installed: {told.decode()[-200:]}")
    return folder


@asynccontextmanager
async def emulated(folder: Path) -> AsyncIterator[Emulated]:
    """Run it from a folder in which it is installed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = folder / "start.mjs"
    script.write_text(STARTS)
    process = await asyncio.create_subprocess_exec(
        "node",
        str(script),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PORT_OF_SLACK": str(port), "SEED_OF_SLACK": json.dumps(SEED)},
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line.strip(), "emulate has ended"
        async with Emulated(f"http://127.0.0.1:{port}") as found:
            yield found
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
