"""A small Slack on loopback: Web API, Socket Mode and signed HTTP, for an unmodified slack-bolt in another process.

server.py is what tests hold. records.py says what there is and rules.py how long it lasts; world.py keeps it and tells
the app, installs.py knows the app's tokens, talk.py, places.py, streams.py, views.py and surfaces.py change it, and
interactions.py and answers.py are about commands, buttons, shortcuts and modals. deliveries.py brings it all to the
app, over socket_mode.py or http_mode.py. web_api.py answers what the app asks, with methods_*.py, forms.py,
refusals.py, ratelimits.py, journal.py and tests/faults.py. What the app asked is in the journal; what people see is in
the channels' messages.
"""
