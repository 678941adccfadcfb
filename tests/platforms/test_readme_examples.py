"""The README's Python examples run as they stand there and print what their comments say."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.platforms.conftest import saying

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def promised(example: str) -> list[str]:
    """Return what the comments say is printed; three dots at the end stand for anything."""
    return [said.removesuffix("...").strip() for said in re.findall(r"^.*#\s(.*)$", example, re.MULTILINE)]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_prints_what_it_promises(home, model, number):
    if "REDIS_URL" in EXAMPLES[number]:
        server = home.server
        home.settings["REDIS_URL"] = await server.start()
        server.leave()
    model.will(saying("Noted."))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", EXAMPLES[number],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=home.environment, cwd=home.folder,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err.decode()) == (0, "")
    printed = out.decode().splitlines()
    said = promised(EXAMPLES[number])
    assert said
    assert [line[: len(one)] for line, one in zip(printed, said, strict=True)] == said
