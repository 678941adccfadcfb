"""How the unmodified `lorebot discord` and `lorebot slack` bear load: `make bench-discord`, `make bench-slack`.

stage.py      the bot's process, between a small platform and a model server that live in this one, and who asks it
on_discord.py the same where the platform is Discord
on_slack.py   the same where it is Slack
rounds.py     everybody asks at once, round after round
alone.py      one question at a time: the first sign, and what memory adds
stopping.py   the ways to stop an answer
acks.py       a hundred events a second, and how soon Slack knows that they have come
machine.py    what the processes take of the machine
report.py     what was measured: as text, as JSON
"""
