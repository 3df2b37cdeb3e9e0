-- Its dead letters go with it.
DELETE FROM ledger.subscription WHERE ledger_id = %(ledger_id)s AND name = %(name)s
