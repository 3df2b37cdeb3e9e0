SELECT ledger_id, name, seq, recorded_at_us, next_account_no, frontier,
    closed_through_us
FROM ledger.head
ORDER BY name
