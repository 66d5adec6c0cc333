"""Updates as commands. Pure.

Only what a person typed or pressed for this bot becomes a command: edits,
forwards, channel posts, anonymous admins and other bots do not.
"""

from telegram import CallbackQuery, MaybeInaccessibleMessage, Message, Update
from telegram.constants import ChatType

from bot.console.arguments import read_line
from bot.ports.messages import Channel, IncomingCommand

ALLOWED_UPDATES = ["message", "callback_query"]
_TEXT_KEPT_MAX = 4096
_US = 1_000_000


def command_of(
    update: Update, *, bot_id: int, bot_name: str, received_us: int
) -> IncomingCommand | None:
    """The command in an update, or ``None``. ``is_urgent`` is left to the console."""
    if update.callback_query is not None:
        return _pressed(update, update.callback_query, bot_id=bot_id, received_us=received_us)
    message = update.message
    if message is None or message.from_user is None or not message.text:
        return None
    if _is_second_hand(message) or message.from_user.is_bot:
        return None
    typed = read_line(message.text)
    if typed is None or (typed.bot is not None and typed.bot.lower() != bot_name.lower()):
        return None
    return IncomingCommand(
        channel=Channel.TELEGRAM,
        bot_id=bot_id,
        update_id=update.update_id,
        user_id=message.from_user.id,
        user_name=message.from_user.full_name,
        chat_id=message.chat.id,
        is_private=message.chat.type == ChatType.PRIVATE,
        text=message.text[:_TEXT_KEPT_MAX],
        button=None,
        sent_us=int(message.date.timestamp()) * _US,
        received_us=received_us,
        is_urgent=False,
        topic_id=_topic(message),
    )


def _pressed(
    update: Update, query: CallbackQuery, *, bot_id: int, received_us: int
) -> IncomingCommand | None:
    if query.message is None or query.data is None or query.from_user.is_bot:
        return None
    return IncomingCommand(
        channel=Channel.TELEGRAM,
        bot_id=bot_id,
        update_id=update.update_id,
        user_id=query.from_user.id,
        user_name=query.from_user.full_name,
        chat_id=query.message.chat.id,
        is_private=query.message.chat.type == ChatType.PRIVATE,
        text="",
        button=query.data,
        # A press carries no time of its own; the question behind it does.
        sent_us=received_us,
        received_us=received_us,
        is_urgent=False,
        message_id=query.message.message_id,
        topic_id=_topic(query.message),
    )


def _topic(message: MaybeInaccessibleMessage) -> int | None:
    """The forum's topic; a thread of mere replies is none, and cannot be written to."""
    if not isinstance(message, Message) or not message.is_topic_message:
        return None
    return message.message_thread_id


def _is_second_hand(message: Message) -> bool:
    return (
        message.forward_origin is not None
        or message.via_bot is not None
        or message.sender_chat is not None
    )
