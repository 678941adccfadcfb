"""The gateway: any Redis client connects to it; `LLM.*` is answered here, everything else by the real Redis.

server.py     listens, and knows every client
session.py    one client: its commands and its replies, in order
answers.py    what each command that is not simply passed on means for a client
state.py      what a client has asked for that outlives a command
local.py      objects, modules and lists of keys      expiry.py   what EXPIRE and its like mean for an object
login.py      AUTH and HELLO                          refused.py  commands that are not passed on, and why
line.py       one connection that many share, for searches by vector
upstream.py   a client's own connection to Redis      address.py  how that is reached
guest.py      the Redis user whom passed-on commands run as: it cannot touch memory
requests.py   bytes to commands      replies.py  values to bytes      frames.py  where replies of Redis end
commands.py   LLM.*, answered from the registry       options.py  their arguments
base.py       what the gateway asks of whoever answers `LLM.*`
"""
