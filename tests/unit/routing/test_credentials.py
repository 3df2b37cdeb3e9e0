"""Which of two live secrets is used: the newest, unless it was refused lately."""

from pydantic import SecretStr
from tests.support.routing import VirtualClock

from tandem.platform.secrets import live
from tandem.routing.limits import CREDENTIAL_REFUSED_S
from tandem.routing.providers.credentials import Credentials


def test_the_newest_comes_first_unless_it_is_refused() -> None:
    """One that is refused is tried after the other, for a while, or until it is accepted."""
    clock = VirtualClock()
    credentials = Credentials("bikemap", live("new", "old"), clock)
    assert credentials.ordered() == ["new", "old"]
    credentials.refused("new")
    assert (credentials.ordered(), credentials.refused_now()) == (["old", "new"], 1)
    clock.advance(CREDENTIAL_REFUSED_S)
    assert (credentials.ordered(), credentials.refused_now()) == (["new", "old"], 0)
    credentials.refused("new")
    credentials.accepted("new")
    assert credentials.ordered() == ["new", "old"]


def test_where_both_are_refused_the_newest_comes_first() -> None:
    """Refusals do not stop anybody from trying: a provider may be wrong for a moment."""
    credentials = Credentials("bikemap", live("new", "old"), VirtualClock())
    credentials.refused("new")
    credentials.refused("old")
    assert (credentials.ordered(), credentials.refused_now()) == (["new", "old"], 2)


def test_what_is_live_no_more_is_forgotten() -> None:
    """Secrets are asked for each time; what is gone counts no more as refused."""
    values = [SecretStr("old")]
    credentials = Credentials("bikemap", lambda: values, VirtualClock())
    credentials.refused("old")
    values.insert(0, SecretStr("new"))
    assert credentials.ordered() == ["new", "old"]
    values.pop()
    assert (credentials.ordered(), credentials.refused_now()) == (["new"], 0)


def test_no_more_than_two_are_tried() -> None:
    """However many were given."""
    assert Credentials("x", live("1", "2", "3"), VirtualClock()).ordered() == ["1", "2"]
