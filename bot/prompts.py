"""Prompt templates: Markdown files with {{variables}}, rendered in Jinja2's sandbox."""

from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.errors import PromptError


class Rendered(Protocol):
    """A template from outside, which is looked after elsewhere."""

    @property
    def wanted(self) -> frozenset[str]:
        """The names of its variables."""
        ...

    def render(self, **given: Any) -> str:
        """Return it with its variables filled in. Raises PromptError."""
        ...


class Prompts:
    """The prompts that ship with Lorebot; a file of the same name in `folder` takes a prompt's place.

    style: a folder of the shipped prompts whose prompts are preferred, such as `small`.
    """

    def __init__(self, folder: Path | None = None, style: str | None = None) -> None:
        shipped = _shipped()
        self._folders = [one for one in (folder, shipped / style if style else None, shipped) if one]
        self._templates: dict[str, tuple[Template | Rendered, frozenset[str]]] = {}

    def render(self, name: str, /, **variables: Any) -> str:
        """Return the prompt with its variables filled in.

        Raises PromptError naming every variable that is missing, or what else is wrong with the template.
        """
        template, wanted = self._template(name)
        if not isinstance(template, Template):
            return template.render(**variables).strip()
        missing = sorted(wanted - variables.keys())
        if missing:
            raise PromptError(f"the prompt {name}.md uses variables that are not given: {', '.join(missing)}")
        try:
            return template.render(**variables).strip()
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise PromptError(f"the prompt {name}.md cannot be rendered: {error}") from error

    def takes(self, name: str, variable: str) -> bool:
        """Tell whether a prompt uses a variable. Raises PromptError where there is no such prompt."""
        return variable in self._template(name)[1]

    def with_own(self, **own: Rendered) -> "Prompts":
        """Return prompts of which some are somebody's own. Raises what `wanted` of those raises."""
        other = copy(self)
        other._templates = {**self._templates, **{name: (one, one.wanted) for name, one in own.items()}}
        return other

    def _template(self, name: str) -> tuple[Template | Rendered, frozenset[str]]:
        if name not in self._templates:
            self._templates[name] = _compiled(name, self._source(name))
        return self._templates[name]

    def _source(self, name: str) -> str:
        for folder in self._folders:
            file = folder / f"{name}.md"
            if file.is_file():
                try:
                    return file.read_text(encoding="utf-8")
                except (OSError, UnicodeDecodeError) as error:
                    raise PromptError(f"the prompt {file} cannot be read: {error}") from error
        raise PromptError(f"there is no prompt {name}.md in {', '.join(str(folder) for folder in self._folders)}")


def _compiled(name: str, source: str) -> tuple[Template, frozenset[str]]:
    try:
        wanted = meta.find_undeclared_variables(_environment().parse(source))
        return _environment().from_string(source), frozenset(wanted)
    except TemplateError as error:
        raise PromptError(f"the prompt {name}.md is not a valid template: {error}") from error


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    # Prompts are plain text for a model: HTML escaping would only garble them.
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )


def _shipped() -> Path:
    """Return the folder of the shipped prompts: bot/_prompts in an installed wheel, prompts/ in a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "_prompts"
    return packaged if packaged.is_dir() else here.parent / "prompts"
