"""Templates from outside: what they may do, and that none of them takes long or fills the memory."""

import time
import tracemalloc

import pytest

from bot.apps import templates
from bot.errors import PromptError


def filled(source: str, **given: object) -> str:
    return templates.fill(source, given, "the prompt of hello")


def test_variables_conditions_a_loop_and_filters_are_filled_in():
    source = "{% for one in names if one != 'Bob' %}{{ loop.index }}. {{ one|upper|default('?') }}\n{% endfor %}"
    assert filled(source, names=["Ada", "Bob", "Eve"]) == "1. ADA\n2. EVE\n"
    assert filled("{{ 'many' if names|length > 2 else 'few' }} {{ half|round(2) }}", names="x", half=0.5) == "few 0.5"
    assert filled("{{ facts|tojson }} {{ facts.year }}", facts={"year": 2024}) == '{"year": 2024} 2024'


def test_what_is_given_may_be_long():
    assert len(filled("{{ a|trim|upper|title }}", a="x" * 5_000_000)) == 5_000_000


LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("source", "given"),
    [
        ("{{ a|tojson(300000000) }}", {"a": [1]}),
        ("{{ 1.5|round(3000000, 'ceil') }}", {}),
        ("{{ a|round(b, 'ceil') }}", {"a": 2, "b": 3_000_000}),
        ("{% for x in a %}" + "y" * 50_000 + "{% endfor %}", {"a": LONG}),
        ("{% for x in a %}{{ a }}{% endfor %}", {"a": LONG}),
        ("{% for x in a %}{% if a|upper == 1 %}{% endif %}{% endfor %}", {"a": LONG}),
        ("{% for x in a %}{% if a == b %}{% endif %}{% endfor %}", {"a": LONG, "b": "x" * 99_999 + "y"}),
        ("{% for x in a %}{% if 'y' in a %}{% endif %}{% endfor %}", {"a": LONG}),
        ("{{ a|trim(b) }}", {"a": LONG, "b": "y" * 100_000 + "x"}),
        ("{{ a ~ a }}", {"a": LONG}),
        ("{{ a }}" * 1000, {"a": LONG * 50}),
        ("{{ a }}" * 14_000, {"a": "x"}),
        ("{{ " + " and ".join(["a"] * 5000) + " }}", {"a": 1}),
        ("{{ a" + ".b" * 5000 + " }}", {"a": 1}),
        ("{% if a %}" * 150 + "{% endif %}" * 150, {"a": 1}),
        ("{% if a is in b %}{% endif %}", {"a": 1, "b": [1]}),
    ],
)
def test_no_template_takes_long_or_fills_the_memory(source, given):
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(PromptError, match="the prompt of hello"):
            templates.fill(source, given, "the prompt of hello")
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 5
