"""Processes of one database that compete for its lead, and a SQL prompt."""

import asyncpg

from tests.e2e.support.leader import Leader

LEASE_S = 6.0
SLACK_S = 25.0
"""What a busy machine may add to starting a process and running its statements."""


class Bench:
    """Processes on one database, and a SQL prompt."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.leaders: list[Leader] = []

    def start(self, deployment: str = "d1", *options: str, address: str | None = None) -> Leader:
        leader = Leader(address or self.url, deployment, *options)
        self.leaders.append(leader)
        return leader

    async def sql(self, statement: str) -> object:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    def end(self) -> None:
        for leader in self.leaders:
            leader.end()

    def judge(self) -> None:
        """No trade of an earlier epoch is later than one of a later epoch."""
        trades = sorted(trade for leader in self.leaders for trade in leader.trades())
        assert trades == sorted(trades, key=lambda trade: trade[1])
