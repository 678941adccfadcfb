"""lorebot llm: named models."""

import click

from bot import settings
from bot.cli.objects import making, noun, parameters, told
from bot.cli.shared import asynchronous, starting
from bot.registry import wiring
from bot.registry.objects import How, Kind
from bot.registry.parameters import MODELS
from bot.registry.secrets import new_secret


@click.group()
def command() -> None:
    """Name models: which one, where it answers, with which key. `default` is the one that the settings name.

    \b
    Example:
      lorebot llm create gpt -p 'api_key=$OPENAI_API_KEY' -p chat.model=gpt-4.1 -p chat.temperature=0.3
      lorebot app create hello --llm gpt --prompt 'Say hello to {{name}}'
      lorebot run hello --var name=Ada
    """


@command.command()
@click.argument("name")
@click.option("--type", "type_", default="openai", show_default=True, type=click.Choice(list(MODELS)))
@making
@asynchronous
async def create(
    name: str, type_: str, params: str | None, single: tuple[str, ...], shared: bool, replace: bool, tenant: str
) -> None:
    """Name a model. A key "$NAME" is read from the environment at use; any other is stored encrypted.

    \b
    Parameters, all optional:
      openai        api_key, base_url, organization, chat {chat_path, model, ...},
                    embedding {embedding_path, model, ...}
      azure_openai  api_key, resource_name, chat_deployment_id, embedding_deployment_id, api_version, chat, embedding
      local         chat {model: a GGUF file}, embedding {model: a folder}, threads
      all but local http {socket_timeout "5s", connect_timeout "5s", enable_certificate_verification true,
                    proxy_host, proxy_port, pool {size 5, wait_timeout "0s", connection_lifetime "0s"}}
      all           context_window
    Further keys in chat and embedding are passed on to the API.

    \b
    Example:
      lorebot llm create gpt -p 'api_key=$OPENAI_API_KEY'
      lorebot llm create ollama -p base_url=http://localhost:11434/v1 -p chat.model=llama3.2
      lorebot llm create azure --type azure_openai --params '{"api_key": "$AZURE_OPENAI_API_KEY",
        "resource_name": "mine", "chat_deployment_id": "chat", "api_version": "2024-10-21"}'
    """
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            made = await registry.models.create(
                name, parameters(params, single), How(tenant, nx=not replace, shared=shared), type_=type_
            )
    told(made, Kind.LLM, name)


@command.command("new-secret")
def new_secret_() -> None:
    """Make a value for LOREBOT_SECRET_KEY, which keys are encrypted with. To change it, put a new one before the old.

    \b
    Example:
      echo "LOREBOT_SECRET_KEY=$(lorebot llm new-secret)" >> .env
    """
    print(new_secret())


for one in noun(Kind.LLM):
    command.add_command(one)
