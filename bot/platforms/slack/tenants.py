"""What a workspace is called in memory."""


def tenant(team: str) -> str:
    """Return the tenant of a workspace, or of what an organisation has beside its workspaces."""
    return f"slack:{team}"
