-- One row per column of the relations in the schemas $1 and of the relations $2.
-- What comes from the type (`t`) is of domains only.
-- Where $3 is given, of these only.
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, format_type(a.atttypid, a.atttypmod),
       a.attnotnull OR coalesce(t.typnotnull, false), t.typdefault, a.attidentity, a.attgenerated <> '',
       d.description,
       CASE
           WHEN coalesce(t.typbasetype, a.atttypid) IN ('bpchar'::regtype, 'varchar'::regtype)
               THEN nullif(coalesce(t.typtypmod, a.atttypmod), -1) - 4
           WHEN coalesce(t.typbasetype, a.atttypid) IN ('bit'::regtype, 'varbit'::regtype)
               THEN nullif(coalesce(t.typtypmod, a.atttypmod), -1)
       END AS max_length,
       -- Of a view that rules and no triggers write to, PostgreSQL knows which columns it can.
       CASE c.relkind WHEN 'v' THEN NOT pg_column_is_updatable(c.oid, a.attnum, true) ELSE false END
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid AND t.typtype = 'd'
LEFT JOIN pg_description d
    ON d.objoid = a.attrelid AND d.objsubid = a.attnum AND d.classoid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
  AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
