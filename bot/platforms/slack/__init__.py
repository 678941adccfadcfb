"""The Slack app.

uses.py           scopes and events that it asks for, each with its reason
slashes.py        what the shared commands are called
manifest.py       what Slack is told about the app, made from these
tokens.py         what the app needs to be let in
secrets.py        what of the libraries' logs must not be read
oauth.py          how it is installed into many workspaces
states.py         that somebody has begun to do so
installations.py  where it is installed, with the tokens
refreshing.py     exchanges tokens before they expire
authorizing.py    whose token answers a request
purging.py        what becomes of tokens and memory when it is uninstalled
tenants.py        what a workspace is called in memory
"""
