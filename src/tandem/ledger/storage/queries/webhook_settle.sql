-- Moves only what is still as the deliverer saw it: two deliverers at once repeat, and never skip.
WITH moved AS (
    UPDATE ledger.subscription SET
        active = %(active)s, position = %(position)s, attempts = %(attempts)s,
        next_attempt_at_us = %(next_attempt_at_us)s, dead_in_a_row = %(dead_in_a_row)s,
        last_error = %(last_error)s
    WHERE ledger_id = %(ledger_id)s AND name = %(name)s AND created_at_us = %(before_created_at_us)s
        AND position = %(before_position)s AND attempts = %(before_attempts)s
    RETURNING ledger_id, name
), buried AS (
    INSERT INTO ledger.dead_letter (ledger_id, name, seq, attempts, error, died_at_us, resending)
    SELECT ledger_id, name, %(letter_position)s, %(letter_attempts)s::integer, %(letter_error)s,
        %(letter_died_at_us)s::bigint, false
    FROM moved
    WHERE %(letter_position)s::bigint IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM moved
