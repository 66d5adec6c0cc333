"""WebSocket by ``websockets``, for machines that ``picows`` is not built for.

Its connection is subclassed so that frames pass by the library's queue: they are
handed over while the bytes of one read are being parsed.
"""

from typing import Any

from typing_extensions import override
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import State

from bot.adapters.kalshi.dialing import Call, DialFailed, Ear, goodbye, refused


class _Connection(ClientConnection):
    """Connection and line at once."""

    @override
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ear: Ear | None = None
        self._parts: list[bytes] = []
        self._early: list[bytes] = []

    def answer(self, ear: Ear) -> None:
        """From now on the ear is told; first what came right behind the handshake."""
        self._ear = ear
        ear.connected(self)
        for data in self._early:
            ear.frame(data)
        self._early.clear()

    # --- what the library calls -------------------------------------------------------------

    @override
    def process_event(self, event: object) -> None:
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)  # type: ignore[arg-type]  # its Event alias is private
            return
        self._parts.append(bytes(event.data))
        if event.fin:
            data = b"".join(self._parts)
            self._parts.clear()
            take = self._early.append if self._ear is None else self._ear.frame
            take(data)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._ear is not None:
            self._ear.batch_ended()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._ear is not None:
            close = self.protocol.close_rcvd
            self._ear.ended(goodbye(close.code, close.reason) if close else goodbye(None, ""))

    # --- the line ---------------------------------------------------------------------------

    @override
    def send(self, frame: bytes) -> None:  # type: ignore[override]  # what a line's send is
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(frame)
            self.send_data()

    def hold(self, *, is_held: bool) -> None:
        if is_held:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def abort(self) -> None:
        self.transport.abort()

    async def gone(self) -> None:
        await self.wait_closed()


async def dial(call: Call, ear: Ear) -> None:
    """See :data:`bot.adapters.kalshi.dialing.Dial`."""
    try:
        connection = await connect(
            call.url,
            additional_headers=dict(call.headers),
            create_connection=_Connection,
            compression=None,
            proxy=None,
            open_timeout=call.timeout_s,
            # The exchange pings us; our own limit of silence is stricter than a ping of ours.
            ping_interval=None,
            max_size=call.frame_bytes_max,
        )
    except InvalidStatus as error:
        raise refused(error.response.status_code) from error
    except (InvalidHandshake, WebSocketException) as error:
        raise DialFailed(f"handshake refused: {error}") from error
    assert isinstance(connection, _Connection)
    connection.answer(ear)
