SELECT ledger_id, name, seq, recorded_at_us, next_account_no, frontier
FROM ledger.head
ORDER BY name
