-- The account itself, and those under it: what follows its colon (';' is ':' plus one).
(
    SELECT account_no FROM ledger.account
    WHERE ledger_id = %(ledger_id)s AND address = %(prefix)s
)
UNION ALL
(
    SELECT account_no FROM ledger.account
    WHERE ledger_id = %(ledger_id)s
        AND address > %(prefix)s::text || ':'
        AND address < %(prefix)s::text || ';'
    ORDER BY address
    LIMIT %(limit)s
)
