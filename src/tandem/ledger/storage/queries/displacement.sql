-- What displaced entries add to an account's posted totals at the middle: those recorded after it
-- that are effective by then, less those recorded by it that are not effective yet.
SELECT
    coalesce(sum(signed) FILTER (WHERE (effect & 1) = 1), 0),
    coalesce(sum(signed) FILTER (WHERE (effect & 1) = 0), 0)
FROM (
    SELECT d.effect, CASE WHEN d.seq > %(middle)s THEN d.amount_minor ELSE -d.amount_minor END
        AS signed
    FROM ledger.account AS a
    JOIN ledger.displaced AS d ON d.ledger_id = a.ledger_id AND d.account_no = a.account_no
    WHERE a.ledger_id = %(ledger_id)s
        AND a.address = %(address)s
        AND d.seq <= %(known)s
        AND (d.seq > %(middle)s) = (d.effective_at_us <= %(effective_us)s)
) AS moved
