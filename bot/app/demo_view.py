"""What the demo shows in a terminal: a live panel, or plain lines where there is none."""

import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_CHAT_LINES = 6
_TAG = re.compile(r"<[^>]+>")


class DemoView:
    """Use as a context manager; ``summary`` afterwards."""

    def __init__(self, page: str, *, seconds: float | None, paths: Path) -> None:
        self._console = Console(highlight=False)
        self._page = page
        self._seconds = seconds
        self._paths = paths
        self._chat: list[str] = []
        self._alerts = 0
        self._said: set[str] = set()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._console.print(f"Simulated exchange, paper money. Page: {self._page}")
        self._console.print("It starts without a halt; a real installation waits for /unhalt.")
        self._console.print("Ctrl-C ends it.")
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(
        self, status: dict[str, Any], messages: Sequence[dict[str, Any]], elapsed_s: float
    ) -> None:
        """Show the newest status and the messages that are new."""
        for message in messages:
            line = first_line(str(message.get("text", "")))
            self._alerts += message.get("kind") != "reply"
            self._chat = [*self._chat, f"{message.get('at', '')}  {line}"][-_CHAT_LINES:]
            if not self._console.is_terminal:
                self._console.print(f"chat: {line}", markup=False)
        if not status:
            return
        if self._console.is_terminal:
            self._live.update(self._panel(status, elapsed_s), refresh=True)
        else:
            self._tell_changes(status)

    def summary(self, status: dict[str, Any]) -> None:
        """The last words, on every kind of output."""
        collect, pnl = status.get("collect") or {}, status.get("pnl") or {}
        account, totals = status.get("account") or {}, status.get("totals") or {}
        stored = _counted(collect.get("snapshots", 0), "snapshot")
        lines = [
            (
                "collected",
                (
                    f"cycle={collect['last_cycle_id']} scanned={collect.get('scanned', 0)} "
                    f"inserted={collect.get('inserted', 0)} errors={collect.get('errors', 0)} "
                    f"outcome={collect.get('last_outcome')}"
                    if collect.get("last_cycle_id")
                    else "no cycle has finished yet"
                ),
            ),
            ("stored", f"{stored} in {self._paths / 'kalshi.sqlite'}"),
            (
                "paper trading",
                (
                    f"{_counted(totals.get('brackets_opened', 0), 'bracket')} opened, "
                    f"{totals.get('brackets_closed', 0)} closed, "
                    f"equity {account.get('equity', '-')}, "
                    f"today {pnl.get('realized', '-')} realised"
                ),
            ),
            ("alerts", f"{self._alerts} delivered to the chat"),
        ]
        if agreement := status.get("book_agreement"):
            lines.append(("books", f"best bid equal to the ticker message {agreement}"))
        width = max(len(name) for name, _ in lines)
        self._console.print()
        for name, text in lines:
            self._console.print(f"{name:<{width}}  {text}", soft_wrap=True)

    def _panel(self, status: dict[str, Any], elapsed_s: float) -> Panel:
        banner, collect = status.get("banner") or {}, status.get("collect") or {}
        account, markets = status.get("account") or {}, status.get("markets") or {}
        table = Table.grid(padding=(0, 2))
        table.add_row("state", status.get("why_not_trading") or f"{banner.get('role')}, trading")
        table.add_row(
            "collected",
            f"{collect.get('scanned', 0)} markets in the last cycle, "
            f"{collect.get('snapshots', 0)} snapshots stored",
        )
        table.add_row("watched", f"{markets.get('watched', 0)} of {markets.get('seen', 0)} markets")
        table.add_row(
            "paper", f"equity {account.get('equity', '-')}, exposure {account.get('exposure', '-')}"
        )
        table.add_row("positions", str(len(status.get("positions") or [])))
        body = Group(
            table, Text(), *(Text(line, overflow="ellipsis", no_wrap=True) for line in self._chat)
        )
        of = f" of {self._seconds:.0f}" if self._seconds else ""
        return Panel(
            body, title=f"Kalshi bot demo - {self._page}", subtitle=f"{elapsed_s:.0f}{of} s"
        )

    def _tell_changes(self, status: dict[str, Any]) -> None:
        banner, collect = status.get("banner") or {}, status.get("collect") or {}
        epoch = f" epoch {banner['epoch']}" if banner.get("epoch") else ""
        facts = [f"role: {banner.get('role')}{epoch}"]
        if epoch and (why := status.get("why_not_trading")):
            facts.append(f"not trading: {why}")
        if collect.get("last_cycle_id"):
            facts.append(
                f"cycle {collect['last_cycle_id']}: scanned={collect.get('scanned')} "
                f"inserted={collect.get('inserted')} errors={collect.get('errors')}"
            )
        for fact in facts:
            if fact not in self._said:
                self._said.add(fact)
                self._console.print(fact)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def first_line(text: str) -> str:
    """The first line of a chat message, without its markup."""
    return unescape(_TAG.sub("", text)).strip().partition("\n")[0]
