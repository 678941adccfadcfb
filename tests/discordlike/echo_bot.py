"""A bot in a process of its own, pointed at a server by its environment; it echoes what it is asked."""

import os
import sys

if "zlib" in sys.argv:
    sys.modules["zstandard"] = None  # discord.py then asks for zlib

import discord
import discord.gateway
import discord.http
import yarl


class Echo(discord.Client):
    async def setup_hook(self) -> None:
        _, gateway, _ = await self.http.get_bot_gateway()
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)

    async def on_message(self, message: discord.Message) -> None:
        if self.user in message.mentions:
            await message.reply(f"echo: {message.clean_content}")


if __name__ == "__main__":
    discord.http.Route.BASE = os.environ["LOREBOT_DISCORD_API"]
    intents = discord.Intents.default()
    Echo(intents=intents).run(os.environ["DISCORD_BOT_TOKEN"], log_handler=None)
