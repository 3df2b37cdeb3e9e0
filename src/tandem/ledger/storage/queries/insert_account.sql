INSERT INTO ledger.account
    (ledger_id, account_no, address, asset, account_class, min_balance_minor, max_balance_minor,
     status, opened_seq, opened_at_us, metadata)
VALUES
    (%(ledger_id)s, %(number)s, %(address)s, %(asset)s, %(account_class)s, %(min_balance_minor)s,
     %(max_balance_minor)s, %(status)s, %(opened_position)s, %(opened_at_us)s, %(metadata)s)
