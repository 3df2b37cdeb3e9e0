-- Numbers are small and dense; two creators at once are told apart by the unique name and number.
INSERT INTO ledger.head (ledger_id, name, seq, recorded_at_us, next_account_no, frontier)
SELECT coalesce(max(ledger_id), 0) + 1, %(name)s, 0, 0, 1, '' FROM ledger.head
ON CONFLICT DO NOTHING
