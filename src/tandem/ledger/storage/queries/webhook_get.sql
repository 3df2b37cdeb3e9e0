SELECT
    ledger_id, name, url, kinds, secrets, active, position, attempts, next_attempt_at_us,
    dead_in_a_row, last_error, created_at_us
FROM ledger.subscription
WHERE ledger_id = %(ledger_id)s AND name = %(name)s
