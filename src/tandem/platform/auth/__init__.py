"""Who calls, and what they may do: API keys, stored as hashes, and the guard on each route."""

from tandem.platform.auth.api_keys import ApiKeys, migrate_auth
from tandem.platform.auth.guard import Require, create_require
from tandem.platform.auth.permissions import Permission, Principal

__all__ = ["ApiKeys", "Permission", "Principal", "Require", "create_require", "migrate_auth"]
