UPDATE ledger.subscription SET secrets = %(secrets)s
WHERE ledger_id = %(ledger_id)s AND name = %(name)s
