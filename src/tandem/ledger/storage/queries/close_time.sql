-- Appends go on strictly after the head's time, so moving it closes everything up to it. Not past
-- the database's own clock (and the skew that appends may have): that would stop every writer.
UPDATE ledger.head
SET recorded_at_us = %(time_us)s
WHERE ledger_id = %(ledger_id)s
    AND recorded_at_us < %(time_us)s
    AND %(time_us)s <= extract(epoch FROM clock_timestamp()) * 1000000 + %(max_clock_skew_us)s
