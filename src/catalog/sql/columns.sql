-- One row per column of the relations in the schemas $1 and of the relations $2;
-- the default is only a domain's.
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, format_type(a.atttypid, a.atttypmod),
       a.attnotnull OR t.typnotnull, t.typdefault, a.attidentity, a.attgenerated <> '', d.description,
       CASE
           WHEN m.type IN ('bpchar'::regtype, 'varchar'::regtype) THEN nullif(m.modifier, -1) - 4
           WHEN m.type IN ('bit'::regtype, 'varbit'::regtype) THEN nullif(m.modifier, -1)
       END AS max_length
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (
    SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END AS type,
           CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier
) m
LEFT JOIN pg_description d
    ON d.objoid = a.attrelid AND d.objsubid = a.attnum AND d.classoid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
