-- The next entry rows in the order of their key, as lines: for each account those up to a position.
-- Beside it, on every row: the place of the last one of the page and the highest position on it.
WITH page AS MATERIALIZED (
    SELECT account_no, seq, leg, effect, amount_minor,
        posted_debits, posted_credits, pending_debits, pending_credits
    FROM ledger.entry
    WHERE ledger_id = %(ledger_id)s
        AND (account_no, seq, leg) > (%(account_no)s, %(seq)s, %(leg)s)
    ORDER BY account_no, seq, leg
    LIMIT %(limit)s
), last AS (
    SELECT account_no, seq, leg, (SELECT max(seq) FROM page) AS highest
    FROM page
    ORDER BY account_no DESC, seq DESC, leg DESC
    LIMIT 1
), held AS (
    SELECT account_no,
        string_agg(concat_ws(
            ',', %(salt)s::text, seq, leg, effect, amount_minor,
            posted_debits, posted_credits, pending_debits, pending_credits
        ), E'\n') AS lines
    FROM page
    WHERE seq <= %(position)s
    GROUP BY account_no
)
SELECT last.account_no, last.seq, last.leg, last.highest, held.account_no, held.lines
FROM last LEFT JOIN held ON true
