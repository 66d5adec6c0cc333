"""One person's chat with the bot."""

from tests.e2e.support.bot import ADMIN, SLACK_S, Home
from tests.fakes.telegram_server import FakeTelegram, Said


class Chat:
    """Types, presses, and waits for the answer among whatever else is said."""

    def __init__(self, server: FakeTelegram, home: Home, user: int = ADMIN) -> None:
        self.server = server
        self._home = home
        self._user = user

    @property
    def texts(self) -> list[str]:
        return self.server.texts(self._user)

    def found(self, words: str, after: int = 0) -> list[Said]:
        return [one for one in self.server.said[self._user][after:] if words in one.text]

    async def hears(self, words: str, after: int = 0, limit_s: float = SLACK_S) -> Said:
        """The first message with these words that came after so many."""
        try:
            await self.server.until(lambda: self.found(words, after), limit_s)
        except TimeoutError:
            raise AssertionError(f"{words!r} not in {self.texts}\n{self._home.story()}") from None
        return self.found(words, after)[0]

    async def asks(self, line: str, words: str) -> Said:
        """Type a line; its answer is known by these words."""
        after = len(self.texts)
        self.server.type(self._user, line)
        return await self.hears(words, after)

    @staticmethod
    def labels(said: Said) -> tuple[str, ...]:
        """What its buttons say."""
        return tuple(one["text"] for one in said.buttons)

    async def presses(self, said: Said, label: str, words: str) -> Said:
        """Press a button; its answer is known by these words."""
        after = len(self.texts)
        self.server.press(self._user, said, label)
        return await self.hears(words, after)
