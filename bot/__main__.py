"""`python -m bot` is `lorebot`."""

from bot.cli import main

main()
