"""WebSocket by ``picows``: frames are parsed in C and handed over in the socket's own callback."""

import logging
import socket

from picows import (
    WSError,
    WSFrame,
    WSHandshakeError,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)
from typing_extensions import override

from bot.adapters.kalshi.dialing import Call, DialFailed, Ear, goodbye, refused

logger = logging.getLogger(__name__)

_TEXT = WSMsgType.TEXT
# The library hands over whatever one read returned before the loop goes on. Half of this is
# about a millisecond of work; more than the venue has on its way within a round trip.
_READ_BYTES_MAX = 256 * 1024


class _Listener(WSListener):
    """Listener and line of one connection."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._take = ear.frame
        self._parts: list[bytes] = []
        self._goodbye = goodbye(None, "")
        self._transport: WSTransport | None = None

    # --- what the library calls -------------------------------------------------------------

    @override
    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        raw = transport.underlying_transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _READ_BYTES_MAX // 2)
        self._ear.connected(self)

    @override
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is _TEXT and frame.fin:
            self._take(frame.get_payload_as_bytes())
        else:
            self._take_unusual(transport, frame)
        if frame.last_in_buffer:
            self._ear.batch_ended()

    @override
    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._ear.ended(self._goodbye)

    @override
    def pause_writing(self) -> None:
        """Our commands are few and small."""

    @override
    def resume_writing(self) -> None:
        """See ``pause_writing``."""

    # --- the line ---------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_disconnected and not self._transport.is_close_frame_sent:
            self._transport.send(_TEXT, frame)

    def hold(self, *, is_held: bool) -> None:
        assert self._transport is not None
        raw = self._transport.underlying_transport
        if is_held:
            raw.pause_reading()
        else:
            raw.resume_reading()

    def abort(self) -> None:
        assert self._transport is not None
        self._transport.disconnect(graceful=False)

    async def gone(self) -> None:
        assert self._transport is not None
        try:
            await self._transport.wait_disconnected()
        except WSError as error:
            # What the peer did against the protocol. The library keeps it for whoever asks here.
            logger.warning("websocket broken", extra={"reason": str(error)})

    def _take_unusual(self, transport: WSTransport, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.PING:
                transport.send_pong(frame.get_payload_as_bytes())
            case WSMsgType.CLOSE:
                # Read here: the library knows no codes of an application's own.
                payload = frame.get_payload_as_bytes()
                code = int.from_bytes(payload[:2], "big") if payload else None
                self._goodbye = goodbye(code, payload[2:].decode(errors="replace"))
                transport.send(WSMsgType.CLOSE, payload[:2])
                transport.disconnect()
            case WSMsgType.TEXT | WSMsgType.BINARY | WSMsgType.CONTINUATION:
                self._parts.append(frame.get_payload_as_bytes())
                if frame.fin:
                    parts, self._parts = self._parts, []
                    self._take(b"".join(parts))
            case _:
                pass


async def dial(call: Call, ear: Ear) -> None:
    """See :data:`bot.adapters.kalshi.dialing.Dial`."""
    try:
        await ws_connect(
            lambda: _Listener(ear),
            call.url,
            extra_headers=call.headers,
            websocket_handshake_timeout=call.timeout_s,
            # A ping is a sign of life; the library would answer it and tell nobody.
            enable_auto_pong=False,
            max_frame_size=call.frame_bytes_max,
            # Signed headers are for the host they were made for.
            max_redirects=0,
        )
    except WSInvalidStatusError as error:
        raise (refused(error.response.status) if error.response else _failed(error)) from error
    except (WSHandshakeError, WSError) as error:
        raise _failed(error) from error


def _failed(error: WSError) -> DialFailed:
    return DialFailed(f"handshake refused: {error}")
