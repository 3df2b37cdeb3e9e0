"""Fixtures that every test may use; each resource has its own module under tests/support."""

import pytest
from hypothesis import Phase, settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("tandem", deadline=None)
# A mutant dies of any failing example: a small one, or one that comes back, is not worth its time.
settings.register_profile(
    "mutation",
    deadline=None,
    database=None,
    max_examples=10,  # as in `tests.support.examples`
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("tandem")

pytest_plugins = [
    "tests.support.spans",
    "tests.support.clock",
    "tests.support.doors",
    "tests.support.engine",
    "tests.support.postgres",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio; psycopg and httpx2 are used on it in production too."""
    return "asyncio"
