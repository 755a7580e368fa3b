-- One row per column of the relations in the schemas $1 and of the relations $2,
-- by relation and number.
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, format_type(a.atttypid, a.atttypmod),
       a.attnotnull OR t.typnotnull,
       CASE
           WHEN a.attgenerated <> '' THEN NULL
           WHEN ad.adbin IS NOT NULL THEN pg_get_expr(ad.adbin, ad.adrelid)
           WHEN a.attidentity = 'd' THEN (
               SELECT format('nextval(%L::regclass)', s.objid::regclass)
               FROM pg_depend s
               WHERE s.refclassid = 'pg_class'::regclass AND s.refobjid = a.attrelid
                 AND s.refobjsubid = a.attnum AND s.classid = 'pg_class'::regclass AND s.deptype = 'i')
           ELSE t.typdefault
       END AS default,
       a.attidentity, a.attgenerated <> '', d.description,
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
LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
LEFT JOIN pg_description d
    ON d.objoid = a.attrelid AND d.objsubid = a.attnum AND d.classoid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
ORDER BY a.attrelid, a.attnum
