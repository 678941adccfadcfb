"""A small Discord on loopback: REST and gateway over real sockets, for an unmodified discord.py in a process of its own.

server.py is what tests hold. records.py says what there is, world.py keeps it, talk.py and threads.py change it, and
interactions.py knows slash commands, buttons and modals. sessions.py, sockets.py are the gateway; rest*.py the HTTP side,
with ratelimits.py, faults.py, journal.py and refusals.py. What a bot does is written in journal; what people see, in the
channels' messages.
"""
