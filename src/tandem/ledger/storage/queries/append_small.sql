-- advance_head and the rows of a small batch in one statement, one round trip, one commit.
WITH clock AS MATERIALIZED (
    SELECT abs(extract(epoch FROM clock_timestamp()) * 1000000 - %(recorded_at_us)s)
        <= %(max_clock_skew_us)s AS near
), moved AS (
    UPDATE ledger.head
    SET seq = %(seq)s,
        recorded_at_us = %(recorded_at_us)s,
        next_account_no = %(next_account_no)s,
        frontier = %(frontier)s,
        closed_through_us = %(closed_through_us)s
    FROM clock
    WHERE clock.near
        AND ledger_id = %(ledger_id)s
        AND head.seq = %(expected_seq)s
        AND head.recorded_at_us < %(first_recorded_at_us)s
    RETURNING head.ledger_id
), records AS (
    INSERT INTO ledger.record
        (ledger_id, seq, recorded_at_us, kind, idempotency_key, parent_seq, expires_at_us, body)
    SELECT moved.ledger_id, r.*
    FROM moved, unnest(
        %(record_seq)s::bigint[], %(record_time)s::bigint[], %(record_kind)s::smallint[],
        %(record_key)s::text[], %(record_parent)s::bigint[], %(record_expiry)s::bigint[],
        %(record_body)s::text[]
    ) AS r
), entries AS (
    INSERT INTO ledger.entry
        (ledger_id, account_no, seq, leg, effect, amount_minor,
         posted_debits, posted_credits, pending_debits, pending_credits)
    SELECT moved.ledger_id, e.*
    FROM moved, unnest(
        %(entry_account)s::bigint[], %(entry_seq)s::bigint[], %(entry_leg)s::smallint[],
        %(entry_effect)s::smallint[], %(entry_amount)s::numeric[],
        %(entry_posted_debits)s::numeric[], %(entry_posted_credits)s::numeric[],
        %(entry_pending_debits)s::numeric[], %(entry_pending_credits)s::numeric[]
    ) AS e
), annotations AS (
    INSERT INTO ledger.annotation (ledger_id, term, seq)
    SELECT moved.ledger_id, a.*
    FROM moved, unnest(%(annotation_term)s::uuid[], %(annotation_seq)s::bigint[]) AS a
)
SELECT clock.near, EXISTS (SELECT FROM moved) AS moved FROM clock
