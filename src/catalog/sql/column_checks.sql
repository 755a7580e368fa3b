-- One row per validated CHECK constraint on one column of the relations in the schemas $1 and of the relations $2;
-- the column by number.
-- Where $3 is given, of these only.
SELECT k.conrelid, k.conkey[1], pg_get_expr(k.conbin, k.conrelid)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'c' AND k.convalidated AND cardinality(k.conkey) = 1
  AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
  AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
ORDER BY k.conrelid, k.conname
