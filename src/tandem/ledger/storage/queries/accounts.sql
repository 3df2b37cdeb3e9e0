-- A prefix is whole segments: the account itself, or what follows its colon (';' is ':' plus one).
SELECT address, account_no, asset, account_class, min_balance_minor, max_balance_minor, status,
    opened_seq, opened_at_us, metadata
FROM ledger.account
WHERE ledger_id = %(ledger_id)s
    AND address > %(after)s::text
    AND address >= %(prefix)s::text
    AND address < CASE WHEN %(prefix)s::text = '' THEN '~' ELSE %(prefix)s::text || ';' END
    AND (
        %(prefix)s::text = ''
        OR address = %(prefix)s::text
        OR (address >= %(prefix)s::text || ':' AND address < %(prefix)s::text || ';')
    )
ORDER BY address
LIMIT %(limit)s
