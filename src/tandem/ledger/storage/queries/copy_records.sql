COPY ledger.record
    (ledger_id, seq, recorded_at_us, kind, idempotency_key, parent_seq, expires_at_us, body)
FROM STDIN
