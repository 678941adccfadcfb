"""The Slack app.

From start to end
running.py        serves workspaces from the first connection on, and ends in good order
opening.py        what the app is to Slack: in one workspace, or wherever it is installed
connecting.py     connects by Socket Mode, or listens for HTTP
transport.py      how Slack's events come, and whether they do
socket_mode.py    the socket of Socket Mode, and whether it lives
workspaces.py     whose tokens a request takes: one workspace's, or those that have installed the app
tenants.py        a workspace by name, and what it is called in memory
rooms.py          what all of this works with

What comes from Slack
app.py            registers the four that follow
messages.py       what people say, edit and delete
comings.py        channels and workspaces as they come, change and go
views.py          the agent view, the older assistant view, and when the App Home is opened
actions.py        commands, shortcuts and buttons
dialogs.py        dialogs, and what was written in them
floor.py          what these stand on
arrivals.py       which messages have come, and what became of others before they came
intake.py         which messages are addressed to the bot
missed.py         what was said while the bot was away
past.py           what was said in a channel before, as it is learned
words.py          Slack's texts as people read them, and back
screens.py        what a person sees beside a question
screen.py         one screen of that: a channel or thread
desk.py           where people do something, for the desk of all platforms (bot/desk.py)
home.py           the App Home: one's own memory
blocks.py         buttons, dialogs and pages

Who reads what
people.py         who people and channels are, as far as it matters for that
kept.py           what was asked of Slack, for a while
audience.py       who can read a channel
readers.py        memory is told of that
leaving.py        what becomes of memory when a channel is gone
sharing.py        which workspace is asked, where several share a channel

Answers
talks.py          the conversations that are going on
questions.py      what was asked, as it is now and as the engine takes it
signs.py          what shows that the bot is at work
outlet.py         where a reply goes: streamed where Slack can, else posted and updated
destination.py    the channel or thread that this is
streams.py        messages that grow
posts.py          messages that are posted and updated
metadata.py       what our messages carry unseen
plainly.py        their text without marks, for notifications
rates.py          how much of what Slack takes of us in a minute
refusals.py       what Slack's refusals mean for a reply
failures.py       how any call to Slack fails

How it is set up and installed
uses.py           scopes and events that it asks for, each with its reason
slashes.py        what the shared commands are called
manifest.py       what Slack is told about the app, made from these
tokens.py         what the app needs to be let in
checkup.py        whose tokens those are, and what they may do
secrets.py        what of the libraries' logs must not be read
oauth.py          how it is installed into many workspaces
states.py         that somebody has begun to do so
installations.py  where it is installed, with the tokens
refreshing.py     exchanges tokens before they expire
authorizing.py    whose token answers a request
purging.py        what becomes of tokens and memory when it is uninstalled
"""
