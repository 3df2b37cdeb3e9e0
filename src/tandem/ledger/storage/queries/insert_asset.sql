INSERT INTO ledger.asset (ledger_id, code, scale)
VALUES (%(ledger_id)s, %(code)s, %(scale)s)
ON CONFLICT (ledger_id, code) DO NOTHING
