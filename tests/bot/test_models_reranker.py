"""The reranker on this machine; what needs its real weights runs where they have been fetched before."""

from collections.abc import AsyncIterator
from pathlib import Path

import platformdirs
import pytest

from bot.errors import WeightsError
from bot.models import weights
from bot.models.local_reranker import FILES, LocalReranker

FOLDER = Path(platformdirs.user_cache_dir("lorebot")) / f"{weights.RERANKER.name}-{weights.RERANKER.version}"

fetched = pytest.mark.skipif(not FOLDER.is_dir(), reason="the reranker's weights have not been fetched")


@pytest.fixture
async def reranker() -> AsyncIterator[LocalReranker]:
    reranker = LocalReranker(FOLDER)
    yield reranker
    await reranker.close()


@fetched
async def test_what_answers_scores_higher_whatever_else_there_is(
    reranker: LocalReranker, capfd: pytest.CaptureFixture[str]
) -> None:
    question, answer, other = "What is my dog called?", "Ada: My dog is called Rex.", "Ada: Interest rates rose."
    right, wrong = await reranker.rerank(question, [answer, other])
    assert 1 >= right > 0.8 > 0.2 > wrong >= 0
    among = await reranker.rerank(question, ["", "a\ud800", "word " * 5000, answer])
    assert among[3] == right
    assert ((among >= 0) & (among <= 1)).all()
    assert capfd.readouterr() == ("", "")


@fetched
async def test_a_long_question_leaves_room_for_the_passage(reranker: LocalReranker) -> None:
    question = "What is my dog called? " + "I have been wondering for so long. " * 1000
    right, wrong = await reranker.rerank(question, ["Ada: My dog is called Rex.", "Ada: Interest rates rose."])
    assert right > wrong


async def test_nothing_to_read_needs_no_model(tmp_path: Path) -> None:
    reranker = LocalReranker(tmp_path)
    assert (await reranker.rerank("What?", [])).shape == (0,)
    await reranker.close()


async def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    reranker = LocalReranker(tmp_path)
    with pytest.raises(WeightsError, match="LOREBOT_RERANKER"):
        reranker.check()
    for name in FILES:
        (tmp_path / name).write_text("{}")
    reranker.check()
    with pytest.raises(WeightsError, match="LOREBOT_RERANKER"):
        await reranker.rerank("What?", ["This."])
    await reranker.close()
