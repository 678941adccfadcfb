"""The commands that every platform offers. No platform code."""
