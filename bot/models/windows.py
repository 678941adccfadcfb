"""How many tokens a model's context takes, by the beginning of its name."""

UNKNOWN = 8192

# OpenAI's model pages (platform.openai.com/docs/models), and Azure's where it allows less. The first match counts.
# Newer models than these pages tell of get what their predecessor had; gpt-5 takes 400,000 of which 272,000 are input.
WINDOWS = (
    ("gpt-6", 272_000),
    ("gpt-5-chat", 128_000),
    ("gpt-5", 272_000),
    ("gpt-oss", 131_072),
    ("gpt-4.5", 128_000),
    ("gpt-4.1", 1_000_000),
    ("gpt-4o", 128_000),
    ("chatgpt-4o", 128_000),
    ("gpt-4-turbo", 128_000),
    ("gpt-4-1106", 128_000),
    ("gpt-4-0125", 128_000),
    ("gpt-4-vision", 128_000),
    ("gpt-4-32k", 32_768),
    ("gpt-4", 8_192),
    ("gpt-3.5-turbo-instruct", 4_096),
    ("gpt-3.5-turbo", 16_385),
    ("gpt-35-turbo-instruct", 4_096),
    ("gpt-35-turbo", 16_385),
    ("o1-mini", 128_000),
    ("o1-preview", 128_000),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4", 200_000),
)


def context_window(model: str) -> int:
    """Return the tokens that prompt and reply may take together; 8192 for a name that says nothing.

    Fine-tuned names (`ft:gpt-4o:...`) and those with a vendor (`openai/gpt-4o`) count as the model they are made from.
    """
    name = model.lower().removeprefix("ft:").rsplit("/", 1)[-1]
    return next((window for prefix, window in WINDOWS if name.startswith(prefix)), UNKNOWN)
