"""Workspaces by name: through which installation the app serves one, and what it is called in memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Served:
    """A workspace, and where the app is installed that serves it: there, or in the whole organisation (org_wide).

    enterprise: the organisation that the workspace is part of, if any.
    """

    team: str
    enterprise: str | None = None
    org_wide: bool = False

    @property
    def asked(self) -> str | None:
        """The workspace as the token of a whole organisation has to name it in lists; None: the token tells."""
        return self.team if self.org_wide else None


def tenant(team: str) -> str:
    """Return the tenant of a workspace, or of what an organisation has beside its workspaces."""
    return f"slack:{team}"
