"""Turns what the openai package raises into our errors, each with its fix and without keys."""

from dataclasses import dataclass
from typing import Any

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

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
from bot.models.endpoint import Endpoint

LONGEST = 300  # characters of what a server says that a message repeats
FILTERED = {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"}
TOO_LONG = {"context_length_exceeded", "exceed_context_size_error"}  # OpenAI's, llama.cpp's


@dataclass(frozen=True, slots=True)
class Faults:
    """Names errors for one model at one endpoint. variable: what sets the model's name."""

    endpoint: Endpoint
    model: str
    variable: str

    def before_reply(self, error: APIError) -> ModelError:
        """Return our error for a request that got no reply."""
        if isinstance(error, APIStatusError):
            return self._refused(error, error.status_code)
        where, check = self.endpoint.address, f"check {self.endpoint.url_variable} and the network"
        if isinstance(error, APITimeoutError):
            return ModelUnavailable(f"{where} did not answer in time; {check}, or raise {self.endpoint.stall_variable}")
        if isinstance(error, APIConnectionError):
            reason = self._calm(str(error.__cause__ or error)) or "no connection"
            return ModelUnavailable(f"{where} can't be reached ({reason}); {check}")
        return ReplyBroken(f"{where} answered something that is no reply ({self._said(error)}); {check}")

    def amid_reply(self, error: APIError) -> ModelError:
        """Return our error for a reply that began and broke."""
        where = f"the reply of {self.model} at {self.endpoint.address}"
        if isinstance(error, APITimeoutError):
            return self.stalled()
        if isinstance(error, APIConnectionError):
            return ReplyBroken(f"{where} broke off, the connection was lost; ask again")
        if _codes(error) & FILTERED:
            return self.filtered()
        return ReplyBroken(f"{where} broke off ({self._said(error)}); ask again")

    def stalled(self) -> ReplyBroken:
        """Return the error of a reply that went silent."""
        return ReplyBroken(
            f"the reply of {self.model} at {self.endpoint.address} stalled: nothing for "
            f"{self.endpoint.stall_timeout:g} s; ask again, or raise {self.endpoint.stall_variable}"
        )

    def truncated(self) -> ReplyBroken:
        """Return the error of a reply without an end."""
        return ReplyBroken(
            f"the reply of {self.model} at {self.endpoint.address} is truncated: it ended without a finish_reason; "
            "ask again"
        )

    def malformed(self) -> ReplyBroken:
        """Return the error of a reply that is not in the API's form."""
        return ReplyBroken(
            f"the reply of {self.model} at {self.endpoint.address} is malformed; ask again, and check that the server "
            "speaks OpenAI's API"
        )

    def filtered(self) -> ReplyFiltered:
        """Return the error of a content filter."""
        return ReplyFiltered(f"the content filter of {self.endpoint.address} refused this; say it another way")

    def _refused(self, error: APIStatusError, status: int) -> ModelError:
        endpoint, said = self.endpoint, self._said(error)
        codes = _codes(error)
        if codes & FILTERED:
            return self.filtered()
        match status:
            case 401 | 403:
                return ModelRefusesKey(
                    f"{endpoint.address} refuses the key or what it may do ({status}); set {endpoint.key_variable}"
                )
            case 404:
                return ModelUnknown(
                    f"{endpoint.address} knows no {self._kind()} {self.model} ({said}); set {self.variable}, "
                    f"or check {endpoint.url_variable}"
                )
            case 429 if "insufficient_quota" in codes:
                return ModelBusy(f"the account at {endpoint.address} has no quota left; check its plan and billing")
            case 429:
                wait = error.response.headers.get("retry-after")
                when = f"in {wait} s" if wait else "later"
                return ModelBusy(f"{endpoint.address} is busy (429: {said}); ask again {when}")
            case 408 | 409:
                return ModelUnavailable(f"{endpoint.address} failed ({status}: {said}); ask again")
            case _ if status >= 500 or status < 400:
                return ModelUnavailable(f"{endpoint.address} failed on its side ({status}: {said}); ask again later")
            case _ if codes & TOO_LONG:
                return PromptRefused(
                    f"the prompt is too long for {self.model} ({said}); set LOREBOT_CONTEXT_WINDOW or "
                    "LOREBOT_PROMPT_TOKENS lower"
                )
            case _:
                return PromptRefused(f"{self.model} at {endpoint.address} refuses this prompt ({status}: {said})")

    def _kind(self) -> str:
        return "deployment" if self.endpoint.kind == "azure" else "model"

    def _said(self, error: APIError) -> str:
        body = _inner(error)
        message = body.get("message") or body.get("detail")
        return self._calm(message if isinstance(message, str) else error.message)

    def _calm(self, text: str) -> str:
        """Return the text without secrets, on one line, not too long."""
        for secret in self.endpoint.secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _inner(error: APIError) -> dict[str, Any]:
    """Return what the error's body says; some servers wrap it once more."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    return body if isinstance(body, dict) else {}


def _codes(error: APIError) -> set[str]:
    body = _inner(error)
    told = [body.get("code"), body.get("type"), error.code, error.type]
    inner = body.get("innererror")
    if isinstance(inner, dict):
        told.append(inner.get("code"))
    return {code for code in told if isinstance(code, str)}
