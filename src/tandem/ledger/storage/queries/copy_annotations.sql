COPY ledger.annotation (ledger_id, term, seq) FROM STDIN
