"""Text that a model's server would take for its own delimiters, made harmless.

llama.cpp (and so Ollama, LM Studio and the local model) renders the whole chat into one text and tokenizes that with
special tokens on: `<|im_end|>` in somebody's message ends the message. A mark is matched letter by letter, so one
blank inside is enough: `< |im_end|>` is text. People and models still read it, and most code means the same.
"""

import re

# Letters, punctuation, CJK and emoji, none of < > [ ] and their wide forms: in these there is nothing to be made plain.
ORDINARY = re.compile(
    "[\t\n -;=?-Z\\\\^-~\u00a0-\u00ac\u00ae-\u058f\u2010-\u2027\u2030-\u205e\u3000-\u9fff\uac00-\ud7a3"
    "\U0001f300-\U0001faff]*"
)
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

# What no reader sees: controls, directions, zero widths, and the tags and variation selectors of plane 14, which can
# spell out whole instructions. Three flags are made of tags: England, Scotland, Wales.
_UNSEEN = re.compile(
    "(\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    "|\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
    "|\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f)"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
# Joiners belong into emoji and Persian; beside ASCII on both sides, or in a row, they only hide something.
_ROWS = re.compile("(?<=[\u200c\u200d])[\u200c\u200d]+|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+")
_ASCII = "\x00-\x7f\u2581\ufe64\ufe65\uff01-\uff5e"  # and its wide forms
_JOINERS = re.compile(f"(?<![^{_ASCII}])[\u200c\u200d](?![^{_ASCII}])")

_LEFT, _RIGHT, _BAR = "[<\ufe64\uff1c]", "[>\ufe65\uff1e]", "[|\uff5c]"  # ASCII, small, wide
_NAME = "[^\\s<>\ufe64\ufe65\uff1c\uff1e]{1,80}?"
_TAGS = (
    "(?i:s|bos|eos|bop|eop|sop|eod|eot|eom|eoh|eoa|eosys|pad|unk|mask|sep|cls|think|role|image|filename|reponame"
    "|seed:[a-z_]+|mask:[0-9]+)|PRE|SUF|MID"
)
_WORDS = (
    "(?i:INST)|AVAILABLE_TOOLS|TOOL_[A-Z]+|SYSTEM_PROMPT|MODEL_SETTINGS|CALL_ID|ARGS|THINK|IMG(?:_[A-Z]+)?"
    "|(?:BEGIN_)?AUDIO|PREFIX|MIDDLE|SUFFIX|BOS|EOS|EOT|PAD|UNK|CLS|SEP|[gs]?MASK|UNUSED_TOKEN_[0-9]+|control_[0-9]+"
    "|multimodal|[|](?:system|user|assistant|tool|endofturn)[|]"
)
# Each alternative takes a mark's first character alone, so that marks that overlap are all broken.
_MARK = re.compile(
    "|".join(
        [
            f"{_LEFT}(?={_BAR}{_NAME}{_RIGHT}|{_NAME}{_BAR}{_RIGHT})",  # ChatML, Llama 3, Phi, GPT, DeepSeek, Gemma 4
            f"{_LEFT}(?=/?(?:{_TAGS}){_RIGHT})",  # SentencePiece, ChatGLM, Qwen, Code Llama
            # <start_of_turn> (Gemma), <fim_prefix> (StarCoder), <__media__> (llama.cpp); not vector<size_t>, Vec<_>
            f"{_LEFT}(?=/?(?!_*{_RIGHT}|\\w{{0,60}}_t{_RIGHT})\\w{{0,60}}_\\w{{0,60}}{_RIGHT})",
            "<(?=</?SYS>>)",  # Llama 2
            f"\\[(?=/?(?:{_WORDS})\\])",  # Llama 2, Mistral, BERT, ChatGLM, InternLM, EXAONE
            ">(?=>[A-Z]+<<)",  # Falcon
            "\\](?=~!?b[\\[\\]])|\\[(?=e~\\[)",  # MiniMax
        ]
    )
)


def plain(text: str) -> str:
    r"""Return a text without what only machines read: line breaks are "\n", nothing is unseen, marks are broken.

    A mark gets one blank after its first character. Ordinary text comes back as it is; plain(plain(x)) == plain(x).
    """
    if ORDINARY.fullmatch(text):  # most texts, forty times as fast; a prompt looks at hundreds
        return text
    text = _UNSEEN.sub(lambda found: found[1] or "", _BREAKS.sub("\n", text))
    return _MARK.sub(r"\g<0> ", _JOINERS.sub("", _ROWS.sub("", text)))
