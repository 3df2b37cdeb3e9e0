-- A stretch of addresses, in the order of an index.
SELECT address, account_no, asset, account_class, min_balance_minor, max_balance_minor, status,
    opened_seq, opened_at_us, metadata
FROM ledger.account
WHERE ledger_id = %(ledger_id)s
    {filters}
    AND address > %(after)s
    AND address < %(before)s
ORDER BY address
LIMIT %(limit)s
