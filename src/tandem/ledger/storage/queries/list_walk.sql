-- Positions that stand in every one of several ordered lists: leap from list to list. Each asks for
-- its next position from where the one before it stands, so the rarest sets the pace; where the
-- last one stands where the first one does, it is found. A step costs one index probe a list. The
-- row of the last step that is allowed tells where to go on.
WITH RECURSIVE walk AS (
    SELECT 0 AS step, 0 AS found, NULL::bigint AS seq, {start}::bigint AS from_seq
    UNION ALL
    SELECT walk.step + 1,
        walk.found + (hit.seq IS NOT NULL)::integer,
        hit.seq,
        CASE WHEN {last}.seq = list_0.seq THEN {last}.seq {onward} ELSE {last}.seq END
    FROM walk
    {probes}
    CROSS JOIN LATERAL (
        SELECT CASE WHEN {last}.seq = list_0.seq {filters} THEN {last}.seq END AS seq
    ) AS hit
    WHERE walk.step < %(steps)s AND walk.found < %(limit)s
)
SELECT walk.seq, CASE WHEN walk.seq IS NOT NULL THEN (
        SELECT record.body FROM ledger.record
        WHERE record.ledger_id = %(ledger_id)s AND record.seq = walk.seq
    ) END AS body,
    CASE WHEN walk.step = %(steps)s THEN walk.from_seq END AS from_seq
FROM walk
WHERE walk.seq IS NOT NULL OR walk.step = %(steps)s
ORDER BY walk.step
