-- Addresses that stand in every one of several ordered lists; see list_walk. What follows an
-- address is at least that address and '-', the least of the characters that addresses have. Up to
-- where the first list stood in the last step, everything is done.
WITH RECURSIVE walk AS (
    SELECT 0 AS step, 0 AS found, NULL::text COLLATE "C" AS address,
        (%(after)s::text || '-') COLLATE "C" AS from_address, NULL::text COLLATE "C" AS done
    UNION ALL
    SELECT walk.step + 1,
        walk.found + (hit.address IS NOT NULL)::integer,
        hit.address,
        CASE WHEN {last}.address = list_0.address THEN {last}.address || '-'
            ELSE {last}.address END,
        list_0.address
    FROM walk
    {probes}
    CROSS JOIN LATERAL (
        SELECT CASE WHEN {last}.address = list_0.address {filters} THEN {last}.address END
            AS address
    ) AS hit
    WHERE walk.step < %(steps)s AND walk.found < %(limit)s
)
SELECT account.address, account.account_no, account.asset, account.account_class,
    account.min_balance_minor, account.max_balance_minor, account.status, account.opened_seq,
    account.opened_at_us, account.metadata,
    CASE WHEN walk.step = %(steps)s THEN walk.done END AS done
FROM walk
LEFT JOIN LATERAL (
    SELECT * FROM ledger.account
    WHERE account.ledger_id = %(ledger_id)s AND account.address = walk.address
    LIMIT 1
) AS account ON true
WHERE walk.address IS NOT NULL OR walk.step = %(steps)s
ORDER BY walk.step
