"""How long memory takes, on the real Redis."""
