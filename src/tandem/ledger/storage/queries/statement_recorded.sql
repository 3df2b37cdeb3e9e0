-- Posted entries of an account in the order in which they were recorded.
SELECT coalesce(d.effective_at_us, r.recorded_at_us), e.seq, e.leg, r.kind, r.recorded_at_us,
    e.effect, e.amount_minor
FROM ledger.account AS a
JOIN ledger.entry AS e ON e.ledger_id = a.ledger_id AND e.account_no = a.account_no
JOIN ledger.record AS r ON r.ledger_id = e.ledger_id AND r.seq = e.seq
LEFT JOIN ledger.displaced AS d
    ON d.ledger_id = e.ledger_id AND d.account_no = e.account_no AND d.seq = e.seq AND d.leg = e.leg
WHERE a.ledger_id = %(ledger_id)s
    AND a.address = %(address)s
    AND e.seq > %(first)s
    AND e.seq <= %(last)s
    AND (e.seq, e.leg) > (%(after_seq)s, %(after_leg)s)
    AND e.effect IN (1, 2, 5, 6)
ORDER BY e.seq, e.leg
LIMIT %(limit)s
