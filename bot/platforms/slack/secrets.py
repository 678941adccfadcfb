"""What of the logs of slack_bolt and slack_sdk is a secret."""

import re

# Tokens; codes that are worth an installation; what is worth a connection, or lets anybody answer a command.
IN_LOGS = re.compile(
    r"((?:xoxe\.)?\b(?:xox[a-z]|xapp)-|result with code: |[?&](?:code|state|ticket)=|\bhooks\.slack\.com/\w+/)"
    r"[^\s&'\",)}\]]+",
    re.ASCII,
)
