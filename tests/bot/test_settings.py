"""Settings: every fault at once, no secret ever shown."""

import pytest

from bot import settings
from bot.errors import SettingsError


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No settings but the test's own."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_any_setting_everything_is_local():
    found = settings.load()
    assert (found.chat_provider, found.embed_provider, found.redis_url) == ("local", "local", None)


def test_a_key_turns_openai_on(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    found = settings.load()
    assert (found.chat_provider, found.embed_provider) == ("openai", "openai")


def test_every_fault_is_named_at_once_and_no_value_is_shown(monkeypatch):
    monkeypatch.setenv("LOREBOT_THREADS", "sk-secret-many")
    monkeypatch.setenv("LOREBOT_TIMEZONE", "Atlantis/Lost")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    told = str(caught.value)
    assert all(name in told for name in ("LOREBOT_THREADS", "LOREBOT_TIMEZONE", "LOG_LEVEL"))
    assert "secret" not in told
    assert "Atlantis" not in told


def test_what_a_provider_needs_is_named(monkeypatch):
    monkeypatch.setenv("LOREBOT_LLM", "openai")
    monkeypatch.setenv("LOREBOT_EMBEDDER", "azure")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    told = str(caught.value)
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "LOREBOT_EMBED_MODEL"):
        assert f"{name} is not set" in told


def test_settings_are_read_from_dotenv(tmp_path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-secret\nLOREBOT_NAME=Mnemo\nUNRELATED=1\n")
    found = settings.load()
    assert found.name == "Mnemo"
    assert "sk-secret" not in repr(found)
    assert "sk-secret" not in str(found.model_dump())


def test_what_the_command_line_says_comes_first(monkeypatch):
    monkeypatch.setenv("LOREBOT_USER", "bob")
    assert settings.load(user="ada").user == "ada"


def test_a_reranker_is_a_folder_that_is_there_or_one_that_is_known(monkeypatch, tmp_path):
    assert settings.load().reranker == "none"
    for known in ("local", str(tmp_path)):
        monkeypatch.setenv("LOREBOT_RERANKER", known)
        assert settings.load().reranker == known
    monkeypatch.setenv("LOREBOT_RERANKER", str(tmp_path / "lost"))
    with pytest.raises(SettingsError, match="LOREBOT_RERANKER: none, local, or a folder that is there"):
        settings.load()


@pytest.mark.parametrize(
    ("count", "ids", "found"), [("4", "0-1, 3", (0, 1, 3)), ("1", "0", (0,)), ("16", "", None), ("", "", None)]
)
def test_shards_are_numbers_and_ranges(monkeypatch, count, ids, found):
    monkeypatch.setenv("LOREBOT_DISCORD_SHARDS", count)
    monkeypatch.setenv("LOREBOT_DISCORD_SHARD_IDS", ids)
    assert settings.load().discord_shard_ids == found


@pytest.mark.parametrize(
    ("count", "ids", "told"),
    [
        ("2", "0-2", "LOREBOT_DISCORD_SHARD_IDS: LOREBOT_DISCORD_SHARDS is 2, so ids go from 0 to 1"),
        ("", "0", "LOREBOT_DISCORD_SHARD_IDS: set LOREBOT_DISCORD_SHARDS"),
        ("2", "1-0", "LOREBOT_DISCORD_SHARD_IDS: numbers and ranges"),
        ("2", "one", "LOREBOT_DISCORD_SHARD_IDS: numbers and ranges"),
        ("none", "0", "LOREBOT_DISCORD_SHARDS: "),
    ],
)
def test_shards_that_are_not_there_are_told(monkeypatch, count, ids, told):
    monkeypatch.setenv("LOREBOT_DISCORD_SHARDS", count)
    monkeypatch.setenv("LOREBOT_DISCORD_SHARD_IDS", ids)
    with pytest.raises(SettingsError, match=told):
        settings.load()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, None),
        ({"LOREBOT_HEALTH_PORT": "9000"}, ("127.0.0.1", 9000)),
        ({"PORT": "8080"}, ("0.0.0.0", 8080)),
        ({"PORT": "8080", "LOREBOT_HEALTH_HOST": "::1"}, ("::1", 8080)),
        ({"PORT": "8080", "LOREBOT_HEALTH_PORT": "9000"}, ("127.0.0.1", 9000)),
    ],
)
def test_health_stays_on_this_machine_unless_a_hosting_platform_or_the_operator_wants_it_elsewhere(
    monkeypatch, given, address
):
    for name in ("PORT", "LOREBOT_HEALTH_PORT", "LOREBOT_HEALTH_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert settings.load().health_address == address
