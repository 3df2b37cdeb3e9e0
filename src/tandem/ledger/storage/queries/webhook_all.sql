SELECT
    ledger_id, name, url, kinds, secrets, active, position, attempts, next_attempt_at_us,
    dead_in_a_row, last_error, created_at_us,
    (
        SELECT count(*) FROM ledger.dead_letter AS letter
        WHERE letter.ledger_id = one.ledger_id AND letter.name = one.name
    )
FROM ledger.subscription AS one
WHERE ledger_id = %(ledger_id)s
ORDER BY name
