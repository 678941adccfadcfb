"""The Discord bot.

running.py       runs all of it, and ends in good order
connecting.py    gets online, and says why not
shards.py        the client underneath: which shards hear Discord
throttle.py      keeps below the requests that Discord allows in a second
watchdog.py      reconnects those that do not
secrets.py       what of discord.py's logs must not be read
client.py        events of Discord in, the engine's answers out
talks.py         the conversations that are going on, one a channel
buttons.py       what stands below an answer to press
intake.py        which messages are addressed to the bot, and what a person there would see
attachments.py   what is attached to messages, read at once
audience.py      who can read a channel
readers.py       tells memory so, before anything is answered
outlet.py        where a reply goes
permissions.py   what the bot may do, and whether it may answer somewhere
invite.py        the address that adds it to a server
tokens.py        the form of its token
checkup.py       whose token it is, as Discord says
channels.py      what is switched on in a channel, and what is overheard there
past.py          what was said in a channel before, as it is learned
leaving.py       what becomes of memory where a channel, a thread or the bot's place in a server is gone
"""
