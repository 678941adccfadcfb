"""What can go wrong above memory. Every message names the fix; people on a platform see a calmer sentence.

LoreError (memory/errors.py)
├── SettingsError           the environment or .env is wrong; lists every fault at once
│   └── Unconfigured        a platform was asked for by name that is not set up; the program ends with 78
├── PlatformLost            a platform's connection is lost for good; the program ends with 75, to be started again
├── PromptError             a prompt template that cannot be rendered; names every missing variable
├── MessageTooLong          a message that no cut can make answerable
├── MessageUnreadable       bytes that are not text
├── CommandError            a command that cannot be carried out as it was said
├── WeightsError            weights that cannot be fetched or do not match their checksum
├── ExtraMissing            a package that only an extra of Lorebot installs
├── ObjectError             a named object that is not what is asked of it, or parameters it cannot be made with
│   └── ObjectMissing       no object of that name
├── DeliveryError           a platform did not take a message this time; the next try may get through
│   ├── SlowDown            it asks us to wait (429)
│   ├── NotYet              it would rather not be shown now what is not whole; the end may be
│   ├── MessageLost         the message was deleted, or may not be edited any more
│   └── DeliveryRefused     it never will: no permission, no such channel
└── ModelError              the model gave no whole answer
    ├── ModelUnavailable    nothing answers at its address, or it failed on its side
    ├── ModelBusy           it asks us to come back later (429)
    ├── ModelRefusesKey     wrong or missing key, or no permission (401, 403)
    ├── ModelUnknown        no such model or deployment (404)
    ├── PromptRefused       it will not take this prompt (400): too long, or a parameter it does not know
    ├── ReplyFiltered       a content filter refused the prompt or the reply
    └── ReplyBroken         the reply ended before its end: truncated, stalled or malformed
"""

from memory.errors import LoreError


class SettingsError(LoreError):
    """The environment or .env is wrong."""


class Unconfigured(SettingsError):
    """A platform was asked for by name that is not set up."""


class PlatformLost(LoreError):
    """A platform's connection is lost for good."""


class PromptError(LoreError):
    """A prompt template that cannot be rendered."""


class MessageTooLong(LoreError):
    """A message that no cut can make answerable."""


class MessageUnreadable(LoreError):
    """Bytes that are not text."""


class CommandError(LoreError):
    """A command that cannot be carried out as it was said."""


class WeightsError(LoreError):
    """Weights that cannot be fetched or do not match their checksum."""


class ExtraMissing(LoreError):
    """A package that only an extra of Lorebot installs."""


class ObjectError(LoreError):
    """A named object that is not what is asked of it, or parameters that it cannot be made with."""


class ObjectMissing(ObjectError):
    """No object of that name."""


class DeliveryError(LoreError):
    """A platform did not take a message this time."""


class SlowDown(DeliveryError):
    """The platform asks us to wait; after: for so many seconds. alone: with this reply, not with the whole channel."""

    def __init__(self, message: str, after: float, *, alone: bool = False) -> None:
        super().__init__(message)
        self.after = after
        self.alone = alone


class NotYet(DeliveryError):
    """A reply that is not whole is not to be shown now; after: for so many seconds, or until it is whole."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class MessageLost(DeliveryError):
    """A message that was deleted, or may not be edited any more."""


class DeliveryRefused(DeliveryError):
    """The platform will never take it: no permission, no such channel."""


class ModelError(LoreError):
    """The model gave no whole answer."""

    calm = "I could not get an answer from the model."


class ModelUnavailable(ModelError):
    """Nothing answers at the model's address, or it failed on its side."""

    calm = "The model can't be reached right now. Please try again in a moment."


class ModelBusy(ModelError):
    """The model asks us to come back later."""

    calm = "The model is busy right now. Please try again in a minute."


class ModelRefusesKey(ModelError):
    """A wrong or missing key, or no permission."""

    calm = "The model refuses this bot's key; whoever runs the bot has to fix that."


class ModelUnknown(ModelError):
    """No such model or deployment."""

    calm = "The configured model does not exist; whoever runs the bot has to fix that."


class PromptRefused(ModelError):
    """The model will not take this prompt."""

    calm = "The model would not take this message."


class ReplyFiltered(ModelError):
    """A content filter refused the prompt or the reply."""

    calm = "The model's content filter stopped this answer."


class ReplyBroken(ModelError):
    """The reply ended before its end."""

    calm = "The answer broke off before its end."
