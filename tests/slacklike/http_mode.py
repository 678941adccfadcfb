"""HTTP mode: what the app is told is posted to its address, signed, and its answer is the acknowledgement."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.slacklike.deliveries import EVENT, INTERACTION, NO_RETRY, Attempt, Delivery
from tests.slacklike.records import Json
from tests.slacklike.rules import Rules

CHALLENGE = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class HttpMode:
    """The app's request URL, and the way to it."""

    def __init__(self, rules: Rules, secret: str) -> None:
        self.rules, self.secret = rules, secret
        self.url = ""
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def signed(self, body: str, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        """Return the headers of a request made at a time; another secret gives a wrong signature."""
        moment = str(int(time.time() if at is None else at))
        digest = hmac.new((secret or self.secret).encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256)
        return {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={digest.hexdigest()}"}

    async def post(self, body: str, kind: str = JSON, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Post a body, signed unless headers are given; return status, content type and text."""
        async with self._client().post(
            self.url,
            data=body.encode(),
            headers={"Content-Type": kind, "User-Agent": "Slackbot 1.0", **(headers or self.signed(body))},
        ) as response:
            return response.status, response.content_type, await response.text()

    async def verify(self, url: str) -> str:
        """Do what the settings page does when a request URL is entered; return what the app answered."""
        self.url = url
        asked = {"token": "verification", "challenge": CHALLENGE, "type": "url_verification"}
        _, kind, said = await self.post(json.dumps(asked))
        return str(json.loads(said)["challenge"]) if kind == JSON else said

    async def deliver(self, delivery: Delivery, attempt: Attempt) -> str:
        body, kind = encoded(delivery)
        headers = self.signed(body)
        if attempt.number:
            reason = delivery.attempts[-2].failure
            headers |= {"X-Slack-Retry-Num": str(attempt.number), "X-Slack-Retry-Reason": reason}
        try:
            async with asyncio.timeout(self.rules.ack_within):
                return await self._post(delivery, body, kind, headers)
        except TimeoutError:
            return "http_timeout"
        except aiohttp.ClientError:
            return "connection_failed"

    async def _post(self, delivery: Delivery, body: str, kind: str, headers: dict[str, str]) -> str:
        headers = {"Content-Type": kind, "User-Agent": "Slackbot 1.0", **headers}
        async with self._client().post(self.url, data=body.encode(), headers=headers) as response:
            said = await response.text()
            if not 200 <= response.status < 300:
                return NO_RETRY if response.headers.get("X-Slack-No-Retry") == "1" else "http_error"
            delivery.acknowledge(answer(said, response.content_type))
            return ""

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session


def encoded(delivery: Delivery) -> tuple[str, str]:
    """Return a delivery as HTTP has it: events are JSON, commands forms, interactions a form with JSON in it."""
    if delivery.kind == EVENT:
        return json.dumps(delivery.body), JSON
    if delivery.kind == INTERACTION:
        return urlencode({"payload": json.dumps(delivery.body)}), FORM
    return urlencode(delivery.body), FORM


def answer(said: str, kind: str) -> Any:
    """Return an answer as Socket Mode would have it in the ack's payload."""
    if not said:
        return None
    found: Json = json.loads(said) if kind == JSON else {"text": said}
    return found
