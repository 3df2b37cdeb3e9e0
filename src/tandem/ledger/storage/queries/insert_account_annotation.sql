INSERT INTO ledger.account_annotation (ledger_id, term, address, seq)
VALUES (%(ledger_id)s, %(term)s::uuid, %(address)s, %(seq)s)
ON CONFLICT (ledger_id, term, address) DO NOTHING
