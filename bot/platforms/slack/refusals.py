"""What Slack's refusals mean for a reply: wait, try again, say it in another way, or let it be.

The names are those that Slack documents for chat.postMessage, chat.update, chat.delete and the three calls of a stream,
and some that it gives without saying so: https://docs.slack.dev/reference/methods. One that is not here is taken for a
fault on Slack's side, so that the call is tried again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.errors import DeliveryError, DeliveryRefused, MessageLost, SlowDown
from bot.platforms.slack.failures import after, busy, coded, status

# The message is there, and takes nothing more: it is taken back and said anew.
LOST = frozenset({
    "message_not_found", "cant_update_message", "edit_window_closed", "block_mismatch", "is_inactive",
    "message_not_owned_by_app", "cant_broadcast_message", "no_dual_broadcast_content_update",
})  # fmt: skip
# Nothing is written there, however it is said.
REFUSED = frozenset({
    "channel_not_found", "not_in_channel", "is_archived", "cannot_reply_to_message", "thread_not_found",
    "messages_tab_disabled", "cannot_dm_bot", "user_not_found", "team_not_found", "no_permission", "access_denied",
    "app_access_restricted", "posting_to_channel_denied", "external_channel_migrating", "message_limit_exceeded",
    "restricted_action", "restricted_action_non_threadable_channel", "restricted_action_read_only_channel",
    "restricted_action_thread_locked", "restricted_action_thread_only_channel", "send_on_behalf_not_allowed",
    "account_inactive", "token_revoked", "token_expired", "invalid_auth", "not_authed", "not_allowed_token_type",
    "missing_scope", "is_bot", "accesslimited", "ekm_access_denied", "enterprise_is_restricted", "org_login_required",
    "two_factor_setup_required", "unknown_method", "method_deprecated", "deprecated_endpoint",
    "invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_thread_ts", "no_text", "msg_too_long",
    "markdown_text_conflict", "metadata_too_large", "metadata_must_be_sent_from_app", "invalid_metadata_format",
    "invalid_metadata_schema", "cant_delete_message",
})  # fmt: skip
# The blocks are at fault: plain text may still get through.
NO_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_blocks_too_many"})
# It is no stream, or none any more, or there are none here: the message is posted and updated.
NO_STREAM = frozenset({
    "message_not_in_streaming_state", "streaming_mode_mismatch", "streaming_not_supported", "feature_not_enabled",
    "feature_disabled", "channel_type_not_supported", "method_not_supported_for_channel_type", "unknown_method",
    "method_deprecated", "deprecated_endpoint", "not_allowed_token_type", "missing_scope", "invalid_thread_ts",
    "invalid_arguments", "invalid_chunks", "no_text", "msg_too_long", "missing_recipient_user_id",
    "missing_recipient_team_id", "user_not_found", "team_not_found", "not_subscribed_to_message_stream_stopped",
    "is_bot", "enterprise_is_restricted", *NO_BLOCKS,
})  # fmt: skip
STILL_STREAMING = "streaming_state_conflict"
STOPPED = "stopped_by_user"


class NoStream(DeliveryError):
    """Slack does not stream here, or not any more."""


class StillStreaming(DeliveryError):
    """The message is being streamed, perhaps by a process that is gone: its stream must be ended first."""


class Stopped(DeliveryError):
    """Somebody has stopped the stream in Slack: nothing more may be written to it."""


class NoBlocks(DeliveryRefused):
    """Slack does not take the message as it is laid out."""


@contextmanager
def told(*, stream: bool = False) -> Iterator[None]:
    """Raise what slack_sdk raises as what delivery knows, and what an outlet has another way for. stream: it is one."""
    try:
        yield
    except SlackApiError as error:
        raise meaning(error, stream=stream) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise DeliveryError("Slack can't be reached") from error


def meaning(error: SlackApiError, *, stream: bool = False) -> DeliveryError:
    """Return what a refusal means. stream: the call is one of a stream's."""
    code = coded(error)
    if busy(error):
        return SlowDown("Slack asks to wait", after=after(error), alone=True)
    if code == STOPPED:
        return Stopped(code)
    if code == STILL_STREAMING:
        return StillStreaming(code)
    if stream and (code in NO_STREAM or (status(error) == 404 and not code)):  # or there is no such method
        return NoStream(code)
    if code in NO_BLOCKS:
        return NoBlocks(code)
    if code in LOST:
        return MessageLost(f"the message can't be changed any more ({code})")
    if code in REFUSED:
        return DeliveryRefused(f"Slack refuses the message ({code})")
    return DeliveryError(f"Slack failed ({code or status(error)})")
