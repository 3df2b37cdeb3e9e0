INSERT INTO ledger.subscription (
    ledger_id, name, url, kinds, secrets, active, position, attempts, next_attempt_at_us,
    dead_in_a_row, last_error, created_at_us
)
SELECT %(ledger_id)s, %(name)s, %(url)s, %(kinds)s, %(secrets)s, %(active)s, %(position)s,
    %(attempts)s, %(next_attempt_at_us)s, %(dead_in_a_row)s, %(last_error)s, %(created_at_us)s
WHERE EXISTS (
        SELECT FROM ledger.subscription WHERE ledger_id = %(ledger_id)s AND name = %(name)s
    )
    OR (SELECT count(*) FROM ledger.subscription WHERE ledger_id = %(ledger_id)s) < %(count_max)s
ON CONFLICT (ledger_id, name) DO UPDATE SET url = excluded.url, kinds = excluded.kinds
RETURNING
    ledger_id, name, url, kinds, secrets, active, position, attempts, next_attempt_at_us,
    dead_in_a_row, last_error, created_at_us
