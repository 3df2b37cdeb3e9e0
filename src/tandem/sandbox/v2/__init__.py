"""Version 2 of the contract: dated header, bearer tokens, problem+json, segments and enums."""
