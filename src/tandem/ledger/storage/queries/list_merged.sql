-- The lists of a few accounts, each in order, merged: a page of each is all that a page can need.
SELECT listed.seq, (
    SELECT record.body FROM ledger.record
    WHERE record.ledger_id = %(ledger_id)s AND record.seq = listed.seq
) AS body
FROM (
    SELECT DISTINCT touched.seq
    FROM unnest(%(numbers)s::bigint[]) AS account(number)
    CROSS JOIN LATERAL (
        SELECT DISTINCT entry.seq
        FROM ledger.entry
        WHERE entry.ledger_id = %(ledger_id)s
            AND entry.account_no = account.number
            AND entry.seq BETWEEN %(first)s AND %(last)s
        ORDER BY entry.seq {order}
        LIMIT %(limit)s
    ) AS touched
    ORDER BY touched.seq {order}
    LIMIT %(limit)s
) AS listed
ORDER BY listed.seq {order}
