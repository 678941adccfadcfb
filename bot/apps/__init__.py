"""Apps: ways to turn a message into an answer."""
