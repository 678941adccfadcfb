"""What people are told: the truth about privacy, in the operator's own words if they like, and what they used."""

import time

from bot import settings, wiring
from bot.commands import table
from bot.commands.base import Here
from bot.limits import Allowance, Budget, Limits, Usage
from bot.metrics import Metrics
from bot.notices import Practices, privacy, used
from bot.prompts import Prompts
from bot.service import Service
from memory.scope import Audience, Operator, Scope


def test_it_says_how_long_who_else_reads_it_and_whom_to_ask():
    said = privacy(Prompts(), Practices("Rex", "OpenAI", None, "ada@example.org"), 30)
    for told in ("What Rex remembers", "for 30 days", "sent to OpenAI.", "Questions: ada@example.org"):
        assert told in said
    kept = privacy(Prompts(), Practices("Rex"), None)
    for told in ("until you have it forgotten", "nobody: the models run on the machine", "ask whoever runs this bot"):
        assert told in kept


def test_it_says_how_to_see_take_along_forget_and_pause():
    said = privacy(Prompts(), Practices("Rex", command="/lorebot"), 1)
    assert [verb for verb in ("list", "export", "forget", "pause", "resume") if f"`/lorebot {verb}`" not in said] == []
    assert "for a day." in said
    paused = privacy(Prompts(), Practices("Rex"), 1, paused=True)
    assert "not being remembered now" in paused
    assert "pause" not in paused


def test_the_operator_s_own_text_takes_its_place(tmp_path):
    (tmp_path / "privacy.md").write_text("Ask {{ contact }} about {{ name }}.")
    assert privacy(Prompts(tmp_path), Practices("Rex", contact="Ada"), None) == "Ask Ada about Rex."


def test_practices_are_those_of_the_settings():
    local = settings.Settings(_env_file=None, llm="local", embedder="local", name="Rex", contact="Ada")
    assert wiring.practices(local) == Practices("Rex", None, None, "Ada")
    mixed = settings.Settings(
        _env_file=None, llm="openai", embedder="azure", openai_base_url="http://key:word@models.example:8000/v1"
    )
    told = wiring.practices(mixed)
    assert (told.answering, told.embedding) == ("the server models.example", "Azure OpenAI")


def test_usage_is_told_in_words():
    assert used(Usage(Budget(1200, 500_000), Budget(3400, 0), 9, 7_200_000), 0) == (
        "- you: 1,200 of 500,000 tokens today\n- everybody here: 3,400 tokens today\n"
        "- messages you may send in this minute: 9\n- a new day begins in 2 hours"
    )
    assert used(Usage(Budget(0, 0), None, None, 1000), 0) == "- you: 0 tokens today\n- a new day begins in 1 second"


async def test_commands_tell_what_holds_for_who_asks(memory, client):
    limits = Limits(client, memory.keys, Allowance(timezone="UTC"))
    parts = {
        "presets": None,
        "apps": None,
        "metrics": Metrics(),
        "listening": None,
    }  # neither command has to do with them
    service = Service("Rex", "gpt", prompts=Prompts(), limits=limits, practices=Practices("Rex", "OpenAI"), **parts)  # type: ignore[arg-type]
    ada = Scope("discord:1", "general", "ada", Audience.PUBLIC)
    here = Here(ada, memory, service=service)
    assert "until you have it forgotten" in (await table.run("/privacy", here)).text
    await memory.retain(Operator("discord:1"), 30)
    await memory.pause(ada)
    told = (await table.run("/privacy", here)).text
    assert "for 30 days" in told
    assert "not being remembered now" in told
    await limits.spent(ada, 1234, time.time_ns() // 1_000_000)
    assert "you: 1,234 of 500,000 tokens today" in (await table.run("/usage", here)).text
