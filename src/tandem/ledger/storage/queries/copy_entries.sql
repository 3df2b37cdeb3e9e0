COPY ledger.entry
    (ledger_id, account_no, seq, leg, effect, amount_minor,
     posted_debits, posted_credits, pending_debits, pending_credits)
FROM STDIN (DELIMITER ',')
