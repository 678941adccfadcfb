"""Packages that only some installations have."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import ExtraMissing


@contextmanager
def needs(extra: str, package: str) -> Iterator[None]:
    """Tell how to install `package` where its import inside fails; raises ExtraMissing."""
    try:
        yield
    except ImportError as error:
        raise ExtraMissing(f"{package} is not installed; run pip install 'lorebot[{extra}]'") from error
