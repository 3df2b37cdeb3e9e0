-- Binary search over gap-free positions: some 25 probes of the primary key at ten million records,
-- and no index on time to pay for on every write.
WITH RECURSIVE search AS (
    SELECT 0::bigint AS low, head.seq + 1 AS high
    FROM ledger.head
    WHERE head.ledger_id = %(ledger_id)s
    UNION ALL
    SELECT
        CASE WHEN middle.recorded_at_us <= %(time_us)s THEN middle.seq ELSE search.low END,
        CASE WHEN middle.recorded_at_us <= %(time_us)s THEN search.high ELSE middle.seq END
    FROM search, LATERAL (
        SELECT seq, recorded_at_us
        FROM ledger.record
        WHERE ledger_id = %(ledger_id)s AND seq = (search.low + search.high) / 2
    ) AS middle
    WHERE search.high - search.low > 1
)
SELECT low FROM search WHERE high - low = 1
