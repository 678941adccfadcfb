"""How the unmodified `lorebot discord` bears load: `make bench-discord`.

stage.py     the bot's process, between a small Discord and a model server that live in this one, and who asks it
rounds.py    everybody asks at once, round after round
alone.py     one question at a time: the first sign, and what memory adds
stopping.py  the button that stops an answer
machine.py   what the bot's process takes of the machine
report.py    what was measured: as text, as JSON
"""
