"""Ctrl-C during the demo reaches it, wherever the interpreter was."""

import signal

import pytest

from tandem.courier.demo import _interruptible


class _Interrupted:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def _interrupt_a_destructor() -> None:
    _Interrupted()
    signal.pause()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_interrupts(number: signal.Signals) -> None:
    """A closed terminal and a polite kill end the demo as Ctrl-C does."""
    with pytest.raises(KeyboardInterrupt), _interruptible():
        signal.raise_signal(number)


def test_an_interrupt_in_a_destructor_is_not_lost() -> None:
    """Python lets no exception out of a destructor; the interrupt comes again."""
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), _interruptible():
        _interrupt_a_destructor()
    assert signal.getsignal(signal.SIGALRM) is before
