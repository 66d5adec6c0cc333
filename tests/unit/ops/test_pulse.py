"""The socket between the bot and its supervisor: said, heard, full, broken."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bot.ops.pulse import Ear, Identity, Pulse

WHO = Identity(instance_id="a", scope="paper:main:0", database="sqlite:///x.sqlite")


@pytest.fixture
def ends() -> Iterator[tuple[Pulse, Ear]]:
    ours, theirs = socket.socketpair()
    pulse, ear = Pulse(theirs.detach(), "s1"), Ear(ours)
    yield pulse, ear
    ear.close()
    pulse.close()


def test_what_is_said_is_heard_and_the_last_word_counts(ends: tuple[Pulse, Ear]) -> None:
    pulse, ear = ends
    ear.listen()
    assert (ear.identity, ear.deadline_us) == (None, None)
    pulse.introduce(WHO)
    pulse.beat(5)
    pulse.beat(7)
    ear.listen()
    assert (ear.identity, ear.deadline_us) == (WHO, 7)
    pulse.beat(None)
    ear.listen()
    assert ear.deadline_us is None
    assert ear.is_open


def test_last_words_are_heard_after_the_death(ends: tuple[Pulse, Ear]) -> None:
    pulse, ear = ends
    pulse.beat(9)
    pulse.close()
    ear.listen()
    assert (ear.deadline_us, ear.is_open) == (9, False)


def test_a_supervisor_that_does_not_listen_never_blocks_the_bot(ends: tuple[Pulse, Ear]) -> None:
    pulse, ear = ends
    for deadline_us in range(100_000):
        pulse.beat(deadline_us)
    ear.listen()
    assert ear.deadline_us is not None
    pulse.beat(1)
    ear.listen()
    assert ear.deadline_us == 1, "what follows is whole again"


def test_the_address_is_not_shown() -> None:
    assert "sqlite" not in repr(WHO)


def a_child() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False
    )


@pytest.mark.looptime(False)
async def test_the_bots_own_children_do_not_inherit_the_socket(ends: tuple[Pulse, Ear]) -> None:
    pulse, ear = ends
    with a_child() as child:
        pulse.close()
        async with asyncio.timeout(30):
            while ear.is_open:  # the kernel closes the child's copies one after the other
                await asyncio.sleep(0.01)
                ear.listen()
        assert child.poll() is None
        child.communicate(b"\n")


def test_a_bot_whose_supervisor_is_gone_is_told_to_stop() -> None:
    program = (
        "import sys, time\n"
        "from bot.ops.pulse import Pulse\n"
        "Pulse(int(sys.argv[1]), 's1').watch()\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    ours, theirs = socket.socketpair()
    with (
        theirs,
        subprocess.Popen(
            [sys.executable, "-c", program, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child,
    ):
        theirs.close()
        assert child.stdout.readline() == b"up\n"
        assert child.poll() is None
        ours.close()
        _, said = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGTERM
    assert b"supervisor is gone" in said
