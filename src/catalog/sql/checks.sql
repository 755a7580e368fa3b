-- One row per CHECK constraint that is about columns of the relations in the
-- schemas $1 and of the relations $2; columns by number.
-- Where $3 is given, of these only.
SELECT k.conrelid, k.conname, k.conkey
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'c' AND pg_catalog.cardinality(k.conkey) > 0
  AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
  AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
ORDER BY k.conrelid, k.conname
