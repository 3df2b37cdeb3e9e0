"""What can go wrong in the platform, as one small tree.

PlatformError
├── PostgresError          the embedded server
├── DatabaseUnavailable    no connection within its bound
├── MigrationError         the schema could not be brought up to date
├── SettingsError          the settings are wrong
└── ProcessError           a child process did not do as asked
"""


class PlatformError(Exception):
    """An operating error of the platform; its message is fit to show to an operator."""


class PostgresError(PlatformError):
    """The embedded PostgreSQL server did not start or stop."""


class DatabaseUnavailable(PlatformError):  # noqa: N818 - a state of the world, named as one
    """No database connection could be made within its time."""


class MigrationError(PlatformError):
    """The database's schema could not be brought up to date."""


class SettingsError(PlatformError):
    """A setting is unknown or has a value that it cannot have."""


class ProcessError(PlatformError):
    """A child process did not start, died early or would not stop."""
