"""A chat bot that remembers: platforms feed the engine, the engine answers through an app and a model."""
