"""What `lorebot slack` needs: the variable that is missing or holds something else is named, its value never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import settings
from bot.errors import SettingsError, Unconfigured
from bot.platforms.slack import tokens
from bot.platforms.slack.tokens import ManyWorkspaces, OneWorkspace, Socket
from bot.registry.secrets import new_secret

BOT, APP = "xoxb-1-2-hush", "xapp-1-A1-2-hush"
DISCORD = "MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.Gabcde.hushhushhushhushhushhush"
SIGNING, CLIENT = "5ec2e75ec2e75ec2e75ec2e75ec2e7aa", "123.456"
KEY = new_secret()

SOCKET = {"slack_bot_token": BOT, "slack_app_token": APP}
WEB = {
    "slack_signing_secret": SIGNING,
    "slack_client_id": CLIENT,
    "slack_client_secret": SIGNING,
    "secret_key": KEY,
}
ONE = {"slack_signing_secret": SIGNING, "slack_bot_token": BOT}


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SLACK_CLIENT_ID",
        "SLACK_CLIENT_SECRET",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def refused(http: bool, **given: str | None) -> str:
    with pytest.raises(Unconfigured) as caught:
        tokens.checked(settings.load(**given), http)
    told = str(caught.value)
    assert "\n" not in told
    assert "hush" not in told
    assert SIGNING not in told
    return told


def test_with_everything_set_the_bot_is_let_in():
    found = tokens.checked(settings.load(**SOCKET), http=False)
    assert isinstance(found, Socket)
    assert (found.bot.get_secret_value(), found.app.get_secret_value()) == (BOT, APP)
    found = tokens.checked(settings.load(**WEB), http=True)
    assert isinstance(found, ManyWorkspaces)
    assert (found.client_id, found.client_secret.get_secret_value()) == (CLIENT, SIGNING)
    assert "5ec2e7" not in repr(found)
    found = tokens.checked(settings.load(**ONE), http=True)
    assert isinstance(found, OneWorkspace)


def test_white_space_around_a_token_does_no_harm():
    found = tokens.checked(settings.load(slack_bot_token=f" {BOT}\n", slack_app_token=f"{APP} "), http=False)
    assert (found.bot.get_secret_value(), found.app.get_secret_value()) == (BOT, APP)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"slack_bot_token": None}, "SLACK_BOT_TOKEN is not set; copy the Bot User OAuth Token"),
        ({"slack_app_token": None}, "SLACK_APP_TOKEN is not set; make an app-level token"),
        ({"slack_bot_token": APP, "slack_app_token": BOT}, "SLACK_BOT_TOKEN and SLACK_APP_TOKEN are swapped"),
        ({"slack_bot_token": APP}, "SLACK_BOT_TOKEN holds an app-level token (xapp-)"),
        ({"slack_app_token": BOT}, "SLACK_APP_TOKEN holds a bot token (xoxb-)"),
        ({"slack_app_token": f"xoxe.{BOT}"}, "SLACK_APP_TOKEN holds a bot token (xoxb-)"),
        ({"slack_bot_token": "xoxp-1-hush"}, "SLACK_BOT_TOKEN holds a user's token (xoxp-)"),
        ({"slack_bot_token": "xoxe-1-hush"}, "SLACK_BOT_TOKEN holds a refresh token (xoxe-)"),
        ({"slack_bot_token": DISCORD}, "SLACK_BOT_TOKEN holds a Discord token"),
        ({"slack_app_token": DISCORD}, "SLACK_APP_TOKEN holds a Discord token"),
        ({"slack_bot_token": "hush"}, "SLACK_BOT_TOKEN holds no token that begins with xoxb-"),
        ({"slack_bot_token": f"{BOT} {BOT}"}, "SLACK_BOT_TOKEN holds characters that no such secret has"),
    ],
)
def test_what_is_wrong_in_socket_mode_is_said_in_a_sentence(changes, told):
    assert refused(False, **{**SOCKET, **changes}).startswith(told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"slack_signing_secret": None}, "SLACK_SIGNING_SECRET is not set"),
        ({"slack_signing_secret": BOT}, "SLACK_SIGNING_SECRET holds a bot token"),
        ({"slack_signing_secret": CLIENT}, "SLACK_SIGNING_SECRET holds a client ID"),
        ({"slack_signing_secret": "5ec2 e7"}, "SLACK_SIGNING_SECRET holds characters"),
        ({"slack_client_id": None}, "SLACK_CLIENT_ID is not set"),
        ({"slack_client_id": SIGNING}, "SLACK_CLIENT_ID is no client ID"),
        ({"slack_client_secret": None}, "SLACK_CLIENT_SECRET is not set"),
        ({"slack_client_secret": CLIENT}, "SLACK_CLIENT_SECRET holds a client ID"),
        ({"slack_client_secret": DISCORD}, "SLACK_CLIENT_SECRET holds a Discord token"),
        ({"secret_key": None}, "LOREBOT_SECRET_KEY is not set"),
        ({"slack_client_id": None, "slack_client_secret": None}, "SLACK_CLIENT_ID is not set; set it and SLACK_CLI"),
    ],
)
def test_what_is_wrong_over_http_is_said_in_a_sentence(changes, told):
    assert refused(True, **{**WEB, **changes}).startswith(told)


def test_a_key_that_is_none_is_told_before_anybody_installs_the_app():
    with pytest.raises(SettingsError, match="LOREBOT_SECRET_KEY is no such key"):
        tokens.checked(settings.load(**{**WEB, "secret_key": "short"}), http=True)


def test_one_workspace_over_http_needs_no_key():
    assert refused(True, **{**ONE, "slack_bot_token": APP}).startswith("SLACK_BOT_TOKEN holds an app-level token")


@given(st.text(min_size=1))
def test_no_text_is_too_odd_to_be_looked_at_as_a_token(text):
    for prefix in ("xoxb-", "xapp-", "xoxp-", "xoxe-"):
        assert tokens.kind(f"{prefix}{text}") == tokens.kind(f"xoxe.{prefix}{text}") == prefix


# The address


@pytest.mark.parametrize(
    ("given", "slack", "shares", "health"),
    [
        ({}, ("127.0.0.1", 3000), False, None),
        ({"port": 8080}, ("0.0.0.0", 8080), True, ("0.0.0.0", 8080)),
        ({"port": 8080, "slack_host": "::1"}, ("::1", 8080), True, ("0.0.0.0", 8080)),
        ({"port": 8080, "slack_port": 3000}, ("127.0.0.1", 3000), False, ("0.0.0.0", 8080)),
        ({"port": 8080, "health_port": 9000}, ("0.0.0.0", 8080), False, ("127.0.0.1", 9000)),
        ({"slack_port": 0, "slack_host": "0.0.0.0", "health_port": 9000}, ("0.0.0.0", 0), False, ("127.0.0.1", 9000)),
    ],
)
def test_where_there_is_one_port_slack_and_health_share_it(given, slack, shares, health):
    found = settings.load(**given)
    assert (found.slack_address, found.slack_shares_port, found.health_address) == (slack, shares, health)


@pytest.mark.parametrize(("given", "days"), [(None, 30), ("0", 0), ("7", 7), ("keep", "keep")])
def test_the_time_of_grace_is_a_number_of_days_or_for_ever(monkeypatch, given, days):
    if given is not None:
        monkeypatch.setenv("LOREBOT_SLACK_GRACE_DAYS", given)
    assert settings.load().slack_grace_days == days


@pytest.mark.parametrize("given", ["-1", "soon", "4000"])
def test_a_time_of_grace_that_is_none_is_told(monkeypatch, given):
    monkeypatch.setenv("LOREBOT_SLACK_GRACE_DAYS", given)
    with pytest.raises(SettingsError, match="LOREBOT_SLACK_GRACE_DAYS"):
        settings.load()
