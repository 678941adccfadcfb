"""lorebot doctor: look at everything that the bot needs."""

import json
import sys
from dataclasses import asdict

import click

from bot import doctor, observe, settings
from bot.cli.shared import as_json, asynchronous, starting
from bot.errors import SettingsError
from bot.findings import Finding, Verdict


@click.command()
@as_json
@asynchronous
async def command(json_: bool) -> None:
    """Check Redis, models, tokenizer, folders and tokens; exit 0 when all is well, 1 otherwise.

    \b
    Example:
      lorebot doctor
      lorebot doctor --json | jq '.[] | select(.verdict != "good")'
    """
    findings: list[Finding] = []
    try:
        config = settings.load()
        observe.configure(config.log_level)
        with starting() as progress:
            async for finding in doctor.examine(config, progress):
                findings.append(finding)
    except SettingsError as error:
        findings.append(Finding("settings", Verdict.BAD, str(error), "correct them"))
    if json_:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(_line(finding))
    if any(finding.verdict is Verdict.BAD for finding in findings):
        sys.exit(1)


def _line(finding: Finding) -> str:
    mark = {Verdict.GOOD: "ok  ", Verdict.WARNING: "warn", Verdict.BAD: "BAD "}[finding.verdict]
    fix = f"\n       -> {finding.fix}" if finding.fix else ""
    return f"{mark} {finding.check}: {finding.text}{fix}"
