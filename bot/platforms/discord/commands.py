"""The commands of the shared table, as Discord's slash commands and entries of its menus."""

import inspect
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Protocol

import discord
from discord import app_commands

from bot.commands import table
from bot.commands.base import At, Command, Option

LONGEST = 100  # characters of a description
ABOUT, FORGET = "Ask about this", "Forget this"


class Carries(Protocol):
    """Who carries out commands; the client's desk is."""

    async def command(self, interaction: discord.Interaction, command: Command, words: str) -> None:
        """Carry out a command with what follows it."""

    async def about(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask about a message."""

    async def forget(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Forget a message."""


def offer(tree: "app_commands.CommandTree[Any]", desk: Carries) -> None:
    """Add all commands to a tree."""
    for one in table.offered(At.CHAT):
        made: app_commands.Command[Any, ..., Any] | app_commands.Group
        if one.verbs:
            made = app_commands.Group(name=one.name, description=_short(one.summary))
            for verb in one.verbs:
                if At.CHAT in verb.at:
                    made.add_command(_command(verb, one, desk, f"{verb.name} "))
        else:
            made = _command(one, one, desk)
        made.allowed_contexts = app_commands.AppCommandContext(guild=True, dm_channel=not one.manager)
        made.default_permissions = discord.Permissions(manage_guild=True) if one.manager else None
        tree.add_command(made)

    async def about(interaction: discord.Interaction, message: discord.Message) -> None:
        await desk.about(interaction, message)

    async def forget(interaction: discord.Interaction, message: discord.Message) -> None:
        await desk.forget(interaction, message)

    contexts = app_commands.AppCommandContext(guild=True, dm_channel=True)
    for name, callback in ((ABOUT, about), (FORGET, forget)):
        tree.add_command(app_commands.ContextMenu(name=name, callback=callback, allowed_contexts=contexts))


def digest(tree: "app_commands.CommandTree[Any]") -> str:
    """Return what tells whether Discord knows these very commands."""
    told = [one.to_dict(tree) for one in (*tree.get_commands(), *_menus(tree))]
    return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _menus(tree: "app_commands.CommandTree[Any]") -> list[Any]:
    return list(tree.get_commands(type=discord.AppCommandType.message))


def _command(one: Command, whole: Command, desk: Carries, before: str = "") -> "app_commands.Command[Any, ..., Any]":
    """Return a slash command. whole: the command that is carried out; before: what its words begin with."""

    async def callback(interaction: discord.Interaction, **given: str | None) -> None:
        await desk.command(interaction, whole, f"{before}{one.words(given)}".strip())

    options = sorted(one.options, key=lambda option: not option.required)
    callback.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=discord.Interaction),
            *map(_parameter, options),
        ]
    )
    described: Callable[[Any], Any] = app_commands.describe(
        **{option.name: _short(option.summary) for option in options}
    )
    chosen: Callable[[Any], Any] = app_commands.choices(
        **{
            option.name: [app_commands.Choice(name=choice, value=choice) for choice in option.choices]
            for option in options
            if option.choices
        }
    )
    return app_commands.Command(name=one.name, description=_short(one.summary), callback=chosen(described(callback)))


def _parameter(option: Option) -> inspect.Parameter:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if option.required:
        return inspect.Parameter(option.name, kind, annotation=str)
    return inspect.Parameter(option.name, kind, annotation=str | None, default=None)


def _short(text: str) -> str:
    text = f"{text[:1].upper()}{text[1:]}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
