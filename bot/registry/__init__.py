"""Models, vector stores and apps that have a name, live in Redis and are shared by every process."""
