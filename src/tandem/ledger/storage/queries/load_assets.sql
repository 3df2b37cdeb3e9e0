SELECT code, scale FROM ledger.asset WHERE ledger_id = %(ledger_id)s AND code = ANY (%(assets)s)
