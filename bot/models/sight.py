"""Which models see images, and what an image costs, by the beginning of a model's name."""

from dataclasses import dataclass
from typing import Literal

Images = Literal["auto", "yes", "no"]


@dataclass(frozen=True, slots=True)
class Sight:
    """How a model sees. tokens: what an image takes at most, whatever its size; detail: how closely it shall look."""

    tokens: int
    detail: Literal["auto", "high", "low"] = "auto"


# OpenAI's guide "Images and vision", "Calculating costs" (developers.openai.com/api/docs/guides/images-vision), at the
# largest: eight tiles of 512 pixels (an image is scaled to 2048 x 768) and a base, or 1,536 patches of 32 pixels times
# what the model multiplies them with. The first match counts; None: the model reads text alone.
TILES, TILES_O, TILES_5 = 85 + 8 * 170, 75 + 8 * 150, 70 + 8 * 140
MINI, NANO, O4_MINI = 2489, 3779, 2642  # 1,536 patches x 1.62, x 2.46, x 1.72, rounded up
SIGHTS: tuple[tuple[str, Sight | None], ...] = (
    ("gpt-6", Sight(NANO, "high")),
    ("gpt-5.", Sight(NANO, "high")),  # auto may take 10,000 patches since gpt-5.4, and high 2,500
    ("gpt-5-mini", Sight(MINI)),
    ("gpt-5-nano", Sight(NANO)),
    ("gpt-5", Sight(TILES_5)),
    ("gpt-4.5", Sight(TILES)),
    ("gpt-4.1-mini", Sight(MINI)),
    ("gpt-4.1-nano", Sight(NANO)),
    ("gpt-4.1", Sight(TILES)),
    ("gpt-4o-mini", Sight(2833, "low")),  # 5,667 tokens more for each tile otherwise
    ("gpt-4o", Sight(TILES)),
    ("chatgpt-4o", Sight(TILES)),
    ("gpt-4-turbo-preview", None),
    ("gpt-4-turbo", Sight(TILES)),
    ("gpt-4-vision", Sight(TILES)),
    ("gpt-4-1106-vision", Sight(TILES)),
    ("o1-mini", None),
    ("o1-preview", None),
    ("o1", Sight(TILES_O)),
    ("o3-mini", None),
    ("o3", Sight(TILES_O)),
    ("o4-mini", Sight(O4_MINI)),
)
BLIND = ("audio", "realtime", "search", "transcribe", "tts")  # what is made of a model for that does not see
# Others differ widely: Qwen2.5-VL takes up to 16,384 tokens where nobody limits it, most take 256 to 3,000.
UNKNOWN = Sight(4096)


def sight(model: str, images: Images = "auto") -> Sight | None:
    """Return how a model sees; None where it does not. images: yes or no, where the name does not tell.

    Fine-tuned names and those with a vendor count as the model they are made from, as for its context window.
    """
    name = model.lower().removeprefix("ft:").rsplit("/", 1)[-1]
    found = next((sight for prefix, sight in SIGHTS if name.startswith(prefix)), None)
    known = None if any(word in name for word in BLIND) else found
    match images:
        case "no":
            return None
        case "yes":
            return known or UNKNOWN
    return known
