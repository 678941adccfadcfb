"""Long-term memory for conversations, in Redis: every turn embedded, indexed and recalled within its scope."""
