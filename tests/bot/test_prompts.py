"""Prompt templates: filled in, sandboxed, and honest about what is missing."""

import pytest

from bot.errors import PromptError
from bot.prompts import Prompts


def prompts(tmp_path, **files: str) -> Prompts:
    for name, text in files.items():
        (tmp_path / f"{name}.md").write_text(text)
    return Prompts(tmp_path)


def test_variables_are_filled_in(tmp_path):
    assert prompts(tmp_path, hello="Hello {{ name }}!").render("hello", name="Ada") == "Hello Ada!"


def test_every_missing_variable_is_named(tmp_path):
    with pytest.raises(PromptError, match=r"hello\.md uses variables that are not given: age, name"):
        prompts(tmp_path, hello="{{ name }} {{ age }}").render("hello")


def test_a_folder_s_prompt_takes_the_place_of_the_shipped_one(tmp_path):
    assert prompts(tmp_path, chat="Be brief.").render("chat", name="x") == "Be brief."
    assert "long memory" in Prompts().render("chat", name="x", person="y", today="z", timezone="UTC", persona="")


def test_what_people_write_is_not_a_template(tmp_path):
    assert prompts(tmp_path, echo="{{ text }}").render("echo", text="{{ 7 * 7 }}") == "{{ 7 * 7 }}"


@pytest.mark.parametrize("attack", ["{{ ''.__class__.__mro__ }}", "{{ items.append(1) }}"])
def test_templates_cannot_reach_out_of_the_sandbox(tmp_path, attack):
    with pytest.raises(PromptError):
        prompts(tmp_path, bad=attack).render("bad", items=[])


def test_a_broken_template_names_itself(tmp_path):
    with pytest.raises(PromptError, match=r"bad\.md is not a valid template"):
        prompts(tmp_path, bad="{{ name").render("bad")


def test_a_prompt_that_does_not_exist_names_the_places_looked_at(tmp_path):
    with pytest.raises(PromptError, match=str(tmp_path)):
        Prompts(tmp_path).render("nothing")
