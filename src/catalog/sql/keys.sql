-- One row per primary key, unique constraint or unique index over plain columns
-- of the relations in the schemas $1 and of the relations $2; columns by number.
-- Where $3 is given, of these only.
SELECT i.indrelid, x.relname, i.indisprimary, u.oid IS NOT NULL,
       (i.indkey::int2[])[0:i.indnkeyatts - 1]
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid
LEFT JOIN pg_constraint u
    ON u.conrelid = i.indrelid AND u.conindid = i.indexrelid AND u.contype IN ('p', 'u')
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
  AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
ORDER BY i.indrelid, x.relname
