"""Fixtures that every test may use; each resource has its own module under tests/support."""

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("tandem", deadline=None)
settings.load_profile("tandem")

pytest_plugins = [
    "tests.support.clock",
    "tests.support.doors",
    "tests.support.engine",
    "tests.support.postgres",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio; psycopg and httpx2 are used on it in production too."""
    return "asyncio"
