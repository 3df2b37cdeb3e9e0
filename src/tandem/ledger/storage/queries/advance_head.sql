-- The compare-and-set that fences writers: the head moves only from where the writer saw it, to a
-- time after its last, and only where that time is near the database's own clock.
WITH clock AS MATERIALIZED (
    SELECT abs(extract(epoch FROM clock_timestamp()) * 1000000 - %(recorded_at_us)s)
        <= %(max_clock_skew_us)s AS near
), moved AS (
    UPDATE ledger.head
    SET seq = %(seq)s,
        recorded_at_us = %(recorded_at_us)s,
        next_account_no = %(next_account_no)s,
        frontier = %(frontier)s,
        closed_through_us = %(closed_through_us)s
    FROM clock
    WHERE clock.near
        AND ledger_id = %(ledger_id)s
        AND head.seq = %(expected_seq)s
        AND head.recorded_at_us < %(first_recorded_at_us)s
    RETURNING head.ledger_id
)
SELECT clock.near, EXISTS (SELECT FROM moved) AS moved FROM clock
