"""What of discord.py's logs is a secret."""

import re

# The tokens in addresses of interactions and webhooks: for 15 minutes, or for ever, whoever has one speaks as the bot.
IN_ADDRESSES = re.compile(r"(?<=/)((?:webhooks|interactions)/\d+/)[^/\s?'\")]+", re.ASCII)
