"""Language models: what the bot asks of them (base), and those that can do it (openai, local)."""
