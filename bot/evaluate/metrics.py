"""Retrieval metrics over ranked ids, for one question; average over questions yourself."""

from collections.abc import Collection, Sequence
from math import log2


def recall_at(k: int, relevant: Collection[str], ranked: Sequence[str]) -> float:
    """Return the share of the relevant ids among the first k."""
    return len(set(relevant) & set(ranked[:k])) / len(set(relevant))


def ndcg_at(k: int, relevant: Collection[str], ranked: Sequence[str]) -> float:
    """Return the normalised discounted cumulative gain with binary relevance (Järvelin & Kekäläinen, 2002)."""
    wanted = set(relevant)
    gain = sum(1 / log2(place + 2) for place, one in enumerate(ranked[:k]) if one in wanted)
    return gain / sum(1 / log2(place + 2) for place in range(min(k, len(wanted))))


def reciprocal_rank(relevant: Collection[str], ranked: Sequence[str]) -> float:
    """Return one over the rank of the first relevant id; 0 where none is ranked."""
    wanted = set(relevant)
    return next((1 / place for place, one in enumerate(ranked, 1) if one in wanted), 0.0)
