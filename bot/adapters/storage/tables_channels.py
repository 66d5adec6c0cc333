"""How each recipient of each channel fares, beside the outbox that feeds them."""

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from bot.adapters.storage.schema import metadata

channel_states = Table(
    "channel_states",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("channel", Text, primary_key=True, doc="`telegram`, `email`, `webhook` or `ping`"),
    Column("recipient", Text, primary_key=True, doc="chat id, address, or host"),
    Column(
        "is_failing", Boolean, nullable=False, doc="whether it was told that nothing arrives there"
    ),
    Column("reason", Text, nullable=False, doc="why nothing arrives; empty while it does"),
    Column("changed_us", BigInteger, nullable=False, doc="when `is_failing` changed last"),
    Column("delivered_us", BigInteger, doc="last delivery, to about a minute"),
)
