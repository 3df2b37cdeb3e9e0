UPDATE ledger.dead_letter
SET attempts = %(attempts)s, error = %(error)s, died_at_us = %(died_at_us)s,
    resending = %(resending)s
WHERE ledger_id = %(ledger_id)s AND name = %(name)s AND seq = %(position)s
RETURNING seq
