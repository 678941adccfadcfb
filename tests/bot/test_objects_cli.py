"""lorebot llm, store, app: what goes wrong before anything is asked of Redis."""

import click
import pytest

from bot.cli.objects import parameters, shown, told
from bot.errors import ObjectError
from bot.registry.objects import Created, Kind, Named


def test_single_parameters_nest_by_their_dots_and_are_json_where_they_can_be():
    found = parameters('{"chat": {"model": "a"}}', ["chat.temperature=0.5", "api_key=$KEY", 'numeric=["year"]', "x="])
    assert found == {"chat": {"model": "a", "temperature": 0.5}, "api_key": "$KEY", "numeric": ["year"], "x": ""}


@pytest.mark.parametrize("single", ["nothing", "=1", "chat.model.name=1"])
def test_a_parameter_that_is_none_is_named(single):
    with pytest.raises(click.UsageError):
        parameters('{"chat": {"model": "a"}}', [single])


def test_what_is_there_already_is_not_replaced_without_a_word():
    with pytest.raises(ObjectError, match=r"there is an app called hello already; .* --replace"):
        told(Created(False), Kind.APP, "hello")


def test_a_key_that_is_stored_encrypted_is_not_shown():
    one = Named(Kind.LLM, "gpt", "", "openai", {"api_key": {"encrypted": "gAAA"}}, "1")
    assert shown(one)["params"] == {"api_key": "(encrypted)"}
