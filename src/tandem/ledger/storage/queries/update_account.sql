UPDATE ledger.account
SET min_balance_minor = %(min_balance_minor)s,
    max_balance_minor = %(max_balance_minor)s,
    status = %(status)s,
    metadata = %(metadata)s
WHERE ledger_id = %(ledger_id)s AND account_no = %(number)s
