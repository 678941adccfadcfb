"""The Discord bot.

running.py   connects, and ends in good order
client.py    events of Discord in, the engine's answers out
intake.py    which messages are addressed to the bot, and what a person there would see
attachments.py  what is attached to messages, read at once
audience.py  who can read a channel
outlet.py    where a reply goes
"""
