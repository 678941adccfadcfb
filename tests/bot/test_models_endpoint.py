"""Endpoints: what they show, and which addresses they refuse."""

import pytest
from pydantic import SecretStr

from bot.errors import SettingsError
from bot.models.endpoint import Endpoint, client


def test_an_endpoint_never_shows_a_secret() -> None:
    endpoint = Endpoint(
        base_url="https://ada:hunter2@models.test/v1?key=hunter2",
        api_key=SecretStr("hunter2"),
        ad_token=SecretStr("hunter2"),
        proxy="http://ada:hunter2@proxy.test",
    )
    assert "hunter2" not in f"{endpoint!r} {endpoint} {endpoint.address}"
    assert endpoint.address == "https://models.test/v1"


@pytest.mark.parametrize("address", ["models.test/v1", "ftp://models.test", "https://", "words"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL is no address"):
        client(Endpoint(base_url=address))


async def test_a_clients_address_does_not_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.test")
    made = client(Endpoint(api_key=SecretStr("k")))
    assert str(made.base_url) == "https://api.openai.com/v1/"
    await made.close()
