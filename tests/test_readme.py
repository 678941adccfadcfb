"""The README lists every setting, and every file of its map is there."""

import re
from pathlib import Path

import pytest

from bot.settings import Settings, variable

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_in_the_readme_with_its_description(field):
    row = next((line for line in README.splitlines() if line.startswith(f"| `{variable(field)}` |")), "")
    assert (Settings.model_fields[field].description or "undescribed") in row


def test_the_map_shows_what_is_there():
    shown = set(re.findall(r"^((?:bot|memory)/\S+)", README, re.MULTILINE))
    assert {one for one in shown if not (ROOT / one).exists()} == set()
    files = {f"memory/{file.name}" for file in (ROOT / "memory").glob("*.py")}
    named = set(re.findall(r"\b\w+\.py\b", README))
    assert {file for file in files - shown if Path(file).name not in named} <= {"memory/__init__.py"}
