-- As displacement.sql, for all accounts, per asset.
SELECT asset,
    coalesce(sum(signed) FILTER (WHERE (effect & 1) = 1), 0),
    coalesce(sum(signed) FILTER (WHERE (effect & 1) = 0), 0)
FROM (
    SELECT a.asset, d.effect,
        CASE WHEN d.seq > %(middle)s THEN d.amount_minor ELSE -d.amount_minor END AS signed
    FROM ledger.displaced AS d
    JOIN ledger.account AS a ON a.ledger_id = d.ledger_id AND a.account_no = d.account_no
    WHERE d.ledger_id = %(ledger_id)s
        AND d.seq <= %(known)s
        AND (d.seq > %(middle)s) = (d.effective_at_us <= %(effective_us)s)
) AS moved
GROUP BY asset
