-- One row per type among $1 and per type that these are made of.
WITH RECURSIVE used (oid) AS (
    SELECT unnest($1)
    UNION
    SELECT part.oid
    FROM used
    JOIN pg_type t USING (oid)
    CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typsubscript = 'array_subscript_handler'::regproc
        UNION ALL
        SELECT t.typbasetype WHERE t.typbasetype <> 0
        UNION ALL
        SELECT a.atttypid
        FROM pg_attribute a
        WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) part (oid)
)
SELECT t.oid, n.nspname, t.typname, format_type(t.oid, NULL), t.typtype,
       CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN t.typelem ELSE 0::oid END,
       t.typbasetype,
       t.typrelid, (SELECT relkind FROM pg_class WHERE oid = t.typrelid) IS DISTINCT FROM 'c',
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder),
       d.description,
       ARRAY(SELECT pg_get_expr(conbin, 0) FROM pg_constraint WHERE contypid = t.oid AND convalidated ORDER BY conname),
       CASE t.typbasetype WHEN 0 THEN '' ELSE format_type(t.typbasetype, t.typtypmod) END
FROM used
JOIN pg_type t USING (oid)
JOIN pg_namespace n ON n.oid = t.typnamespace
-- PostgreSQL's own types come with comments that say nothing about the database.
LEFT JOIN pg_description d
    ON d.objoid = t.oid AND d.classoid = 'pg_type'::regclass AND n.nspname <> 'pg_catalog'
ORDER BY n.nspname, t.typname
