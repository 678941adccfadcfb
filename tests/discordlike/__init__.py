"""A small Discord on loopback: REST and gateway over real sockets, for an unmodified discord.py in another process.

server.py is what tests hold. records.py says what there is, world.py keeps it, talk.py and threads.py change it;
invocations.py and interactions.py are about slash commands, buttons and modals. gateway.py, sessions.py and wire.py
are the gateway; rest*.py the HTTP side, with ratelimits.py, journal.py, forms.py, refusals.py and tests/faults.py. What
the bot asks is in the journal; what people see is in the channels' messages.
"""
