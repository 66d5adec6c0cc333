"""Sends one message straight to a chat, past the outbox: to try the channel out.

What the bot has to say goes through :mod:`bot.adapters.telegram.outbound`,
which also keeps the pace that Telegram asks for.
"""

from telegram import Bot
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.adapters.telegram.client import judge, receipt_of
from bot.adapters.telegram.places import place_of
from bot.ports.carriers import DELIVERED, Parcel, Receipt
from bot.ports.messages import Channel


class TelegramCarrier:
    """``Carrier`` over the Bot API."""

    channel = Channel.TELEGRAM
    parcel_max = 1

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def carry(self, parcel: Parcel) -> Receipt:
        """See :meth:`Carrier.carry`."""
        try:
            place = place_of(parcel.recipient)
            for one in parcel.messages:
                await self._bot.send_message(
                    place.chat,
                    one.message.text,
                    parse_mode=ParseMode.HTML,
                    message_thread_id=place.topic,
                )
        except TelegramError as error:
            return receipt_of(judge(error))
        return DELIVERED

    async def probe(self) -> Receipt:
        """See :meth:`Carrier.probe`: asks whose the token is."""
        try:
            await self._bot.get_me()
        except TelegramError as error:
            return receipt_of(judge(error))
        return DELIVERED
