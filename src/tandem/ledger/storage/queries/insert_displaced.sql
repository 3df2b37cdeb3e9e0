INSERT INTO ledger.displaced
    (ledger_id, account_no, seq, leg, effective_at_us, effect, amount_minor)
VALUES
    (%(ledger_id)s, %(account_number)s, %(position)s, %(leg)s, %(effective_at_us)s, %(effect)s,
     %(amount_minor)s)
