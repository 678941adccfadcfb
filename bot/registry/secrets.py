"""Keys of named models: "$NAME" is read from the environment at use; any other is stored encrypted, or not at all."""

import os
import re
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from bot.errors import ObjectError, SettingsError
from bot.settings import Settings, variable

SEALED = "encrypted"  # the only key of what stands in the place of a secret

_REFERENCE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_MODEL_KEYS = {"OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"}


class Vault:
    """Seals secrets on their way to Redis and opens them at use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        secret = settings.secret_key
        self._fernet = None if secret is None else fernet(secret)
        fields = Settings.model_fields.items()
        # A model's address is whoever made it: what opens something else is not to be sent there.
        self._others = {variable(name) for name, info in fields if "SecretStr" in str(info.annotation)} - _MODEL_KEYS

    def seal(self, key: str) -> str | dict[str, str]:
        """Return what may be stored of a key: "$NAME" as it is, any other encrypted.

        Raises ObjectError where there is nothing to encrypt with, or the variable is not a model's key.
        """
        if key.startswith("$"):
            self._name(key)
            return key
        if self._fernet is None:
            raise ObjectError(
                'api_key: a key in clear is not stored; write the name of an environment variable ("$OPENAI_API_KEY"), '
                "or set LOREBOT_SECRET_KEY to store it encrypted (`lorebot llm new-secret` makes one)"
            )
        return {SEALED: self._fernet.encrypt(key.encode()).decode()}

    def open(self, stored: str | Mapping[str, str]) -> SecretStr:
        """Return the key. Raises ObjectError where it cannot be had."""
        if isinstance(stored, str):
            return self._environment(self._name(stored))
        if self._fernet is None:
            raise ObjectError("api_key: it is stored encrypted; set LOREBOT_SECRET_KEY to what it was stored with")
        try:
            return SecretStr(self._fernet.decrypt(stored[SEALED].encode()).decode())
        except (InvalidToken, KeyError) as error:
            raise ObjectError(
                "api_key: LOREBOT_SECRET_KEY is not what it was stored with; add the old one behind a comma, "
                "or create the model again"
            ) from error

    def _name(self, reference: str) -> str:
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise ObjectError('api_key: "$" begins the name of an environment variable, such as "$OPENAI_API_KEY"')
        name = match[1]
        if name in self._others or name.startswith(("LOREBOT_", "DISCORD_", "SLACK_")):
            raise ObjectError(f"api_key: {name} is not a model's key, and is sent to none")
        return name

    def _environment(self, name: str) -> SecretStr:
        known = {
            "OPENAI_API_KEY": self._settings.openai_api_key,
            "AZURE_OPENAI_API_KEY": self._settings.azure_api_key,
            "AZURE_OPENAI_AD_TOKEN": self._settings.azure_ad_token,
        }.get(name)
        value = os.environ.get(name)
        if known is None and not value:
            raise ObjectError(f"api_key: {name} is not set where Lorebot runs; export it there")
        return known or SecretStr(value or "")


def new_secret() -> str:
    """Return a new key to encrypt with."""
    return Fernet.generate_key().decode()


def hidden(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as people may see them."""
    shown = dict(params)
    if isinstance(shown.get("api_key"), Mapping):
        shown["api_key"] = "(encrypted)"
    return shown


def fernet(secret: SecretStr) -> MultiFernet:
    """Return what encrypts with the first of the keys and decrypts with any. Raises SettingsError."""
    try:
        return MultiFernet([Fernet(one.strip()) for one in secret.get_secret_value().split(",")])
    except ValueError:
        raise SettingsError("LOREBOT_SECRET_KEY is no such key; `lorebot llm new-secret` makes one") from None
