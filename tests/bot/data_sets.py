"""Tiny data sets, written for the tests."""

import json
from pathlib import Path

TURN = {
    "id": "1",
    "conversation": "c",
    "author": "Ada",
    "role": "user",
    "text": "Hi",
    "sent_at": "2024-05-01T09:30:00Z",
}


def jsonl(tmp_path: Path, *lines: object) -> Path:
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


def haystack(name: str) -> dict[str, object]:
    return {
        "question_id": name,
        "question_type": "single-session-user",
        "question": "What is my dog called?",
        "answer": "Rex",
        "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/20 (Sat) 02:57"],
        "haystack_session_ids": ["s1", "s2"],
        "haystack_sessions": [
            [{"role": "user", "content": "I drink tea"}, {"role": "assistant", "content": "So do I, often"}],
            [
                {"role": "user", "content": "My dog is called Rex", "has_answer": True},
                {"role": "assistant", "content": "What a name!", "has_answer": False},
            ],
        ],
        "answer_session_ids": ["s2"],
    }


def longmemeval_file(tmp_path: Path, *items: object) -> Path:
    file = tmp_path / "longmemeval.json"
    file.write_text(json.dumps(items))
    return file
