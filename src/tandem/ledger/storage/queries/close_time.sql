-- Appends go on strictly after the head's time, so moving it closes everything up to it.
UPDATE ledger.head
SET recorded_at_us = %(time_us)s
WHERE ledger_id = %(ledger_id)s AND recorded_at_us < %(time_us)s
