"""What holds of any header: no exception, no negative wait, none above an hour, none too short."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from tandem.resilience.hints import HeaderHint, HintForm, wish_s

_NOW = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
_ALL = (HeaderHint("x-reset", tuple(HintForm)),)
_ODD = st.text(alphabet='0123456789.,;:="-+ rtGMTZSunNov?*\\é٣', max_size=80)


@given(text=st.one_of(st.text(max_size=200), _ODD), date=st.one_of(st.text(max_size=40), _ODD))
@examples(500)
def test_whatever_comes_is_a_sane_wait_or_none(text: str, date: str) -> None:
    """No header makes us fail, come back at once by a negative wait, or stay away for long."""
    found_s = wish_s({"x-reset": text, "date": date}, _ALL, _NOW)
    assert found_s is None or 0 <= found_s <= 3_600


@given(
    form=st.sampled_from(HintForm),
    wait_ms=st.integers(0, 3_600_000),
    skew_s=st.integers(-1_000_000, 1_000_000),
    says_date=st.booleans(),
)
@examples(500)
def test_never_early(form: HintForm, wait_ms: int, skew_s: int, says_date: bool) -> None:
    """Whoever comes back after the wait comes no earlier than the server wrote, by its clock."""
    server_now = _NOW + timedelta(seconds=skew_s if says_date else 0)
    wanted = server_now + timedelta(milliseconds=wait_ms)
    text, stated = _written(form, wanted, server_now)
    date = format_datetime(server_now.replace(microsecond=0), usegmt=True)
    headers = {"x-reset": text} | ({"date": date} if says_date else {})
    found_s = wish_s(headers, (HeaderHint("x-reset", (form,)),), _NOW)
    if found_s is None:
        assert stated < server_now  # a whole second rounded into the past
    elif found_s < 3_600:
        assert server_now + timedelta(seconds=found_s, microseconds=1) >= stated


def _written(form: HintForm, wanted: datetime, server_now: datetime) -> tuple[str, datetime]:
    """How a server writes a time in a form, and the time that this states."""
    wait_ms = (wanted - server_now) // timedelta(milliseconds=1)
    whole_s = server_now + timedelta(seconds=wait_ms // 1_000)
    second = wanted.replace(microsecond=0)
    return {
        HintForm.DELAY_SECONDS: (str(wait_ms // 1_000), whole_s),
        HintForm.HTTP_DATE: (format_datetime(second, usegmt=True), second),
        HintForm.RATE_LIMIT_FIELD: (f'"day";r=7;t=1, "burst";r=0;t={wait_ms // 1_000}', whole_s),
        HintForm.SECONDS: (f"{wait_ms / 1_000:.3f}", wanted),
        HintForm.EPOCH_SECONDS: (str(int(second.timestamp())), second),
        HintForm.EPOCH_MS: (str(round(wanted.timestamp() * 1_000)), wanted),
        HintForm.MILLISECONDS: (str(wait_ms), wanted),
        HintForm.CALENDAR_DATE: (
            wanted.astimezone(timezone(timedelta(hours=2))).isoformat(),
            wanted,
        ),
    }[form]
