"""Runs the bot as its child, and knows for certain when it is dead.

The bot cannot do three things for itself: end itself while it is stopped or
stuck in a library, be killed as process 1 of a container, and give up the lead
once it was killed. Whoever reaped it knows that it is dead, so its lease may be
released at once; nobody else knows, however long a connection is silent.

What ends by itself has decided to: its exit code becomes ours. What was killed
had more to do and is started again, so that the platform's few restarts are
left for faults. One thread, no event loop, nothing but the standard library.
"""

import contextlib
import os
import select
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from subprocess import Popen

from bot.kit.clock import Clock, SystemClock
from bot.kit.times import SECOND_US
from bot.ops.alone import Alone
from bot.ops.pulse import OPTION, START_OPTION, Ear, Identity

EXIT_DONE = 0
EXIT_FAILURE = 1
EXIT_WATCHDOG = 70
_FORWARDED = (signal.SIGTERM, signal.SIGINT)
_LOOK_S = 0.25
_GRACE_US = SECOND_US // 4
"""The bot's own watchdog, which can say why, is given so much more time."""
_ASLEEP_US = 2 * SECOND_US
_MERCY_US = 15 * SECOND_US
_STOP_US = 25 * SECOND_US
"""Less than the 30 s after which a platform kills us."""
_BURIAL_US = 5 * SECOND_US
_FREE_RESTARTS = 10
_RESTART_WINDOW_US = 600 * SECOND_US
_RESTART_PAUSE_US = 30 * SECOND_US

Alarm = Callable[[int], int]
"""Tell if nobody has led for so many seconds, in a process of its own; its exit code, 0: told."""
Bury = Callable[[Identity, str], None]
"""Release the lease of this dead process, giving the reason; in a process of its own."""


class _Life:
    """One child, from start to end."""

    def __init__(self, command: Sequence[str], now_us: int) -> None:
        self.born_us = now_us
        ours, theirs = socket.socketpair()
        self.ear = Ear(ours)
        self.is_overdue = False
        with theirs:
            # A group of its own: a terminal's Ctrl-C is passed on once, by us.
            self._process = Popen(  # noqa: S603 - our own command line
                [*command, f"{OPTION}={theirs.fileno()}"],
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self.pid = self._process.pid

    def is_late(self, now_us: int) -> bool:
        """Whether it holds the lead longer than it may."""
        deadline_us = self.ear.deadline_us
        return deadline_us is not None and now_us > deadline_us + _GRACE_US

    def end(self, status: int) -> int:
        """It was reaped: hear its last words; its exit code, or minus the signal."""
        self.ear.listen()
        self.ear.close()
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process.returncode

    def how(self, code: int) -> str:
        """The end in words."""
        if self.is_overdue:
            return "killed, for it did not renew in time"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def may_hold_the_lead(self, code: int) -> bool:
        """Whether it ended without having given up the lead for certain."""
        return self.ear.identity is not None and (code < 0 or self.ear.deadline_us is not None)


class Supervisor:
    """Keeps one bot running; see the module."""

    def __init__(
        self,
        command: Sequence[str],
        bury: Bury,
        clock: Clock | None = None,
        *,
        alarm: Alarm | None = None,
        alone: Alone | None = None,
    ) -> None:
        self._command = [*command, f"{START_OPTION}={os.urandom(8).hex()}"]
        self._bury = bury
        self._clock = clock or SystemClock()
        self._alarm = alarm
        self._alone = alone or Alone(self._clock.monotonic_us())
        self._alarms: set[int] = set()
        self._told: deque[int] = deque()
        self._stopping: int | None = None
        """The first signal that told us to stop."""
        self._stop_by_us = 0
        self._looked_us = 0
        self._mercy_until_us = 0
        self._deaths_us: deque[int] = deque(maxlen=_FREE_RESTARTS)
        self._undertakers: set[int] = set()

    def run(self) -> int:
        """Run bots until one ends by itself or we are told to stop; our exit code."""
        with self._signals() as waker:
            while True:
                life = _Life(self._command, self._clock.monotonic_us())
                code = life.end(self._attend(life, waker))
                self._alone.gone()
                if life.may_hold_the_lead(code):
                    assert life.ear.identity is not None
                    self._undertake(life.ear.identity, life.how(code))
                verdict = self._judge(life, code)
                if verdict is None and not self._pause(waker):
                    verdict = EXIT_DONE
                if verdict is not None:
                    self._wait_for_burials(waker)
                    return verdict

    # --- one child -------------------------------------------------------------------------

    def _attend(self, life: _Life, waker: socket.socket) -> int:
        """Pass signals on and watch the deadline until the child is dead; its wait status."""
        self._looked_us = self._clock.monotonic_us()
        while True:
            status = self._reap(life.pid)
            if status is not None:
                return status
            self._sleep(waker, life.ear)
            now_us = self._clock.monotonic_us()
            while self._told:
                self._pass_on(self._told.popleft(), life, now_us)
            self._kill_if_late(life, now_us)
            leads = life.ear.deadline_us is not None
            self._alone.see(now_us, born_us=life.born_us, leads=leads)
            self._sound(now_us)

    def _pass_on(self, number: int, life: _Life, now_us: int) -> None:
        if self._stopping is None:
            self._stopping = number
            self._stop_by_us = now_us + _STOP_US
        os.kill(life.pid, number)

    def _kill_if_late(self, life: _Life, now_us: int) -> None:
        if now_us - self._looked_us > _ASLEEP_US:
            # It is us who were stopped. What it said last may be old; let it speak first.
            self._mercy_until_us = now_us + _MERCY_US
        self._looked_us = now_us
        if life.is_late(now_us) and now_us > self._mercy_until_us and not life.is_overdue:
            life.is_overdue = True
            _say(f"bot {life.pid} neither renewed nor gave up the lead in time; killing it")
            os.kill(life.pid, signal.SIGKILL)
        elif self._stopping is not None and now_us > self._stop_by_us:
            _say(f"bot {life.pid} did not stop within {_STOP_US // SECOND_US} s; killing it")
            os.kill(life.pid, signal.SIGKILL)
            self._stop_by_us = now_us + _STOP_US

    def _judge(self, life: _Life, code: int) -> int | None:
        """Our exit code, or ``None`` to start another child."""
        if life.is_overdue:
            return EXIT_WATCHDOG
        if code >= 0:
            return code
        if self._stopping is not None:
            # A signal that comes before the bot can hear it ends it as well.
            is_as_told = code == -self._stopping and life.ear.deadline_us is None
            return EXIT_DONE if is_as_told else EXIT_FAILURE
        _say(f"bot {life.pid} was {life.how(code)}; starting it again")
        return None

    def _pause(self, waker: socket.socket) -> bool:
        """Wait if it dies again and again. ``False``: told to stop meanwhile."""
        now_us = self._clock.monotonic_us()
        is_often = len(self._deaths_us) == _FREE_RESTARTS
        if is_often and now_us - self._deaths_us[0] < _RESTART_WINDOW_US:
            _say(f"{_FREE_RESTARTS} deaths in short order; waiting before the next start")
            self._wait(waker, _RESTART_PAUSE_US, lambda: bool(self._told))
        self._deaths_us.append(now_us)
        return not self._told

    def _sound(self, now_us: int) -> None:
        """Have it told if nobody leads, where no bot of ours could."""
        if self._alarm is None or self._alarms or self._stopping is not None:
            return
        seconds, alarm = self._alone.due(now_us), self._alarm
        if seconds is not None:
            self._alarms.add(self._fork(lambda: alarm(seconds), "not told that nobody leads"))

    # --- the dead --------------------------------------------------------------------------

    def _undertake(self, dead: Identity, how: str) -> None:
        """Release the lease in a fork: its libraries and its waiting stay out of here."""

        def bury() -> int:
            self._bury(dead, how)
            return EXIT_DONE

        said = f"lease of {dead.instance_id} not released, it will expire"
        self._undertakers.add(self._fork(bury, said))

    def _fork(self, work: Callable[[], int], fault: str) -> int:
        """Do it in a fork, which ends with its code; the number of that process."""
        pid = os.fork()
        if pid:
            return pid
        code = EXIT_FAILURE
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_FORWARDED, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            code = work()
        except Exception as failure:  # noqa: BLE001 - the process boundary
            _say(f"{fault}: {failure}")
        finally:
            os._exit(code)

    def _wait_for_burials(self, waker: socket.socket) -> None:
        """Our exit may end the container, and a release under way with it."""
        self._wait(waker, _BURIAL_US, lambda: not self._undertakers)

    def _reap(self, pid: int | None) -> int | None:
        """Collect every dead child, as process 1 must; the wait status of ``pid`` if it is one."""
        found: int | None = None
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                self._undertakers.discard(dead[0])
                if dead[0] in self._alarms:
                    self._alarms.discard(dead[0])
                    if os.waitstatus_to_exitcode(dead[1]) == EXIT_DONE:
                        self._alone.told()
                if dead[0] == pid:
                    found = dead[1]
        return found

    # --- waiting ---------------------------------------------------------------------------

    def _wait(self, waker: socket.socket, limit_us: int, is_over: Callable[[], bool]) -> None:
        until_us = self._clock.monotonic_us() + limit_us
        self._reap(None)
        while not is_over() and self._clock.monotonic_us() < until_us:
            self._sleep(waker, None)
            self._reap(None)
            self._sound(self._clock.monotonic_us())

    def _sleep(self, waker: socket.socket, ear: Ear | None) -> None:
        """Until something happens, at most one look."""
        sources = [waker] if ear is None or not ear.is_open else [waker, ear.socket]
        select.select(sources, (), (), _LOOK_S)
        with contextlib.suppress(BlockingIOError):
            while waker.recv(64):
                continue
        if ear is not None:
            ear.listen()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Signals end a sleep; handlers only take notes, so that nothing races with a reaping."""
        waker, woken = socket.socketpair()
        with waker, woken:
            waker.setblocking(False)
            woken.setblocking(False)
            signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
            before = {one: signal.signal(one, self._note) for one in (*_FORWARDED, signal.SIGCHLD)}
            try:
                yield waker
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(-1)

    def _note(self, number: int, _frame: object) -> None:
        if number in _FORWARDED:
            self._told.append(number)


def _say(text: str) -> None:
    sys.stderr.write(f"supervisor: {text}\n")
    sys.stderr.flush()
