"""How a reply reaches a chat platform: cut into messages, shown while it is made, sent exactly once."""
