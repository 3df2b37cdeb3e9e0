"""Jobs of version 2: what is kept of them, who works on them, their endpoints and messages."""
