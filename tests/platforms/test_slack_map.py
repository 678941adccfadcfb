"""The map of the Slack app shows all of its files."""

import re
from pathlib import Path

from bot.platforms import slack


def test_the_map_shows_every_file_once():
    files = {file.name for file in Path(str(slack.__file__)).parent.glob("*.py")} - {"__init__.py"}
    assert sorted(re.findall(r"^(\w+\.py) ", str(slack.__doc__), re.MULTILINE)) == sorted(files)
