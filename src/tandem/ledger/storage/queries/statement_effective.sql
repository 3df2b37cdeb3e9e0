-- Posted entries of an account in order of effective time: those that took effect when they were
-- recorded, which are in order already, merged with the displaced ones.
SELECT effective_us, seq, leg, kind, recorded_at_us, effect, amount_minor
FROM (
    (
        SELECT r.recorded_at_us AS effective_us, e.seq, e.leg, r.kind, r.recorded_at_us,
            e.effect, e.amount_minor
        FROM ledger.account AS a
        JOIN ledger.entry AS e ON e.ledger_id = a.ledger_id AND e.account_no = a.account_no
        JOIN ledger.record AS r ON r.ledger_id = e.ledger_id AND r.seq = e.seq
        WHERE a.ledger_id = %(ledger_id)s
            AND a.address = %(address)s
            AND e.seq > %(first)s
            AND e.seq <= %(last)s
            AND (r.recorded_at_us, e.seq, e.leg) > (%(after_us)s, %(after_seq)s, %(after_leg)s)
            AND e.effect IN (1, 2, 5, 6)
            AND NOT EXISTS (
                SELECT FROM ledger.displaced AS d
                WHERE d.ledger_id = e.ledger_id
                    AND d.account_no = e.account_no
                    AND d.seq = e.seq
                    AND d.leg = e.leg
            )
        ORDER BY e.seq, e.leg
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT d.effective_at_us, d.seq, d.leg, r.kind, r.recorded_at_us, d.effect, d.amount_minor
        FROM ledger.account AS a
        JOIN ledger.displaced AS d ON d.ledger_id = a.ledger_id AND d.account_no = a.account_no
        JOIN ledger.record AS r ON r.ledger_id = d.ledger_id AND r.seq = d.seq
        WHERE a.ledger_id = %(ledger_id)s
            AND a.address = %(address)s
            AND d.seq <= %(known)s
            AND d.effective_at_us >= %(from_us)s
            AND d.effective_at_us < %(until_us)s
            AND (d.effective_at_us, d.seq, d.leg) > (%(after_us)s, %(after_seq)s, %(after_leg)s)
        ORDER BY d.effective_at_us, d.seq, d.leg
        LIMIT %(limit)s
    )
) AS lines
ORDER BY effective_us, seq, leg
LIMIT %(limit)s
