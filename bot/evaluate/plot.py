"""A run's figures as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.models.extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".pdf", ".svg")

BARS = ("recall@10", "ndcg@10", "mrr")
RANKS = (5, 10, 20)
TOKENS = (500, 1000, 2000)

# Okabe & Ito, 2008: told apart by the colour-blind and in print.
_COLOURS = ("#0072B2", "#E69F00", "#009E73")
_LABELS = 90  # characters below all bars together
_LABEL = 14  # characters of a category that there is always room for


def ready() -> None:
    """Find out whether pictures can be made, before a long run; raises ExtraMissing."""
    with needs("plot", "matplotlib"):
        import matplotlib.figure  # noqa: F401


def draw(report: Mapping[str, Any], title: str, file: Path) -> None:
    """Draw each category's main metrics, and recall by rank and by tokens, with 95% intervals; needs no display.

    A second row shows whole conversations, where the report has them. Raises ExtraMissing, and OSError where the file
    cannot be written.
    """
    with needs("plot", "matplotlib"):
        from matplotlib.figure import Figure

    levels = [("turns", report)] + ([("sessions", report["sessions"])] if "sessions" in report else [])
    wide = max(7, 2 + max(len(figures["by_category"]) for _, figures in levels))  # inches, of twelve or more
    figure = Figure(figsize=(wide + 5, 0.6 + 3.9 * len(levels)), layout="constrained")
    table = figure.subplots(len(levels), 3, squeeze=False, width_ratios=(wide / 2.4, 1, 1))
    for (level, figures), (bars, by_rank, by_tokens) in zip(levels, table, strict=True):
        _bars(bars, figures)
        bars.set_title(f"{level}, by category", loc="left", fontsize=10)
        _line(by_rank, figures, RANKS, "recall@{}", f"{level} recalled")
        _line(by_tokens, figures, TOKENS, "recall@{}t", f"tokens of {level} recalled")
    figure.suptitle(_plain(title), x=0.01, ha="left", fontsize=12)
    figure.savefig(file, dpi=150)


def _bars(axes: "Axes", figures: Mapping[str, Any]) -> None:
    room = max(_LABEL, _LABELS // (len(figures["by_category"]) + 1))
    groups = [
        (_plain(_broken(name, room)), scores, figures["intervals_by_category"][name])
        for name, scores in figures["by_category"].items()
    ]
    groups.append(("overall", figures["overall"], figures["intervals"]))
    width = 0.8 / len(BARS)
    for number, metric in enumerate(BARS):
        places = [place + (number - (len(BARS) - 1) / 2) * width for place in range(len(groups))]
        values = [scores[metric] for _, scores, _ in groups]
        errors = _whiskers(values, [around.get(metric) for _, _, around in groups])
        axes.bar(places, values, width * 0.92, label=metric, color=_COLOURS[number])
        axes.errorbar(places, values, yerr=errors, fmt="none", ecolor="#333333", elinewidth=1, capsize=2)
    labels = [f"{name}\nn = {scores['questions']}" for name, scores, _ in groups]
    axes.set_xticks(range(len(groups)), labels, fontsize=9)
    if len(groups) > 1:
        axes.axvline(len(groups) - 1.5, color="#999999", linewidth=0.8, linestyle=":")
    _scale(axes)
    axes.legend(ncols=len(BARS), loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)


def _line(axes: "Axes", figures: Mapping[str, Any], steps: Sequence[int], name: str, label: str) -> None:
    names = [name.format(step) for step in steps]
    values = [figures["overall"][one] for one in names]
    errors = _whiskers(values, [figures["intervals"].get(one) for one in names])
    axes.errorbar(range(len(steps)), values, yerr=errors, fmt="o-", color=_COLOURS[0], ecolor="#333333", capsize=3)
    for place, value in enumerate(values):
        beside = (7, 5 if value < 0.1 else -11)  # points; below the line, unless that is below the axis
        axes.annotate(f"{value:.2f}", (place, value), beside, textcoords="offset points", fontsize=8)
    axes.set_xticks(range(len(steps)), [f"{step:,}" for step in steps], fontsize=9)
    axes.set_xlim(-0.4, len(steps) - 0.4)
    axes.set_xlabel(label, fontsize=9)
    axes.set_title("recall, overall", loc="left", fontsize=10)
    _scale(axes)


def _scale(axes: "Axes") -> None:
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.tick_params(length=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _whiskers(values: Sequence[float], around: Sequence[Sequence[float] | None]) -> list[list[float]]:
    """Return how far each whisker goes below and above; both sides 0 where no interval is known."""
    ends = [one or (value, value) for value, one in zip(values, around, strict=True)]
    below = [max(0.0, value - low) for value, (low, _) in zip(values, ends, strict=True)]
    above = [max(0.0, high - value) for value, (_, high) in zip(values, ends, strict=True)]
    return [below, above]


def _broken(name: str, room: int) -> str:
    """Return a category's name in three lines at most; the released data sets put hyphens where words end."""
    lines = [""]
    for word in name.replace("-", "- ").split():
        blank = "" if lines[-1] == "" or lines[-1].endswith("-") else " "
        if lines[-1] and len(lines[-1] + blank + word) > room:
            lines.append(word)
        else:
            lines[-1] += blank + word
    return "\n".join(line if len(line) <= room else f"{line[: room - 1]}…" for line in lines[:3])


def _plain(text: str) -> str:
    """Return text that matplotlib takes for no formula."""
    return text.replace("$", r"\$")
