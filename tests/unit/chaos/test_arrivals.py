"""What is read off the venue's stamps: were it wrong, the matrix would show anything."""

from chaos.arrivals import Arrival, gap_s, longest_silence_s, zombies


def stream(*stamps: tuple[float, int]) -> list[Arrival]:
    return [
        Arrival(at_us=round(at_s * 1_000_000), epoch=epoch, is_accepted=True)
        for at_s, epoch in stamps
    ]


def refused(at_s: float, epoch: int) -> Arrival:
    return Arrival(at_us=round(at_s * 1_000_000), epoch=epoch, is_accepted=False)


def test_the_gap_is_from_the_last_of_the_old_to_the_first_of_the_new() -> None:
    arrivals = stream((1, 7), (2, 7), (2.4, 8), (3, 8))
    assert gap_s(arrivals, 7, 8) == 0.4


def test_a_gap_below_zero_is_an_overlap() -> None:
    assert gap_s(stream((1, 7), (2, 8), (2.5, 7)), 7, 8) == -0.5


def test_an_accepted_order_of_an_old_epoch_after_a_newer_one_is_a_zombie() -> None:
    assert zombies(stream((1, 7), (2, 8), (3, 7), (4, 8), (5, 7))) == 2
    assert zombies(stream((1, 7), (2, 7), (3, 8), (4, 9))) == 0


def test_the_order_of_the_list_does_not_matter_only_the_stamps_do() -> None:
    assert zombies(stream((3, 7), (1, 7), (2, 8))) == 1


def test_what_the_venue_refused_harms_nobody() -> None:
    arrivals = [*stream((1, 7), (2, 8)), refused(3, 7)]
    assert zombies(arrivals) == 0
    assert gap_s([*arrivals, refused(1.9, 7)], 7, 8) == 1


def test_the_longest_silence_counts_from_the_given_moment() -> None:
    arrivals = stream((1, 7), (6, 7), (7, 7), (9, 7))
    assert longest_silence_s(arrivals, 4_000_000) == 2
    assert longest_silence_s(arrivals, 500_000) == 5
    assert longest_silence_s([], 0) == 0
