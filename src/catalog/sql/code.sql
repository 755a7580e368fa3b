-- Which relations run code of the database's authors. One row per reason: where
-- `through` is NULL the relation does by itself, else statements on it touch
-- the relation `through` too. Functions and operators that PostgreSQL comes
-- with are not in pg_depend.
SELECT tgrelid AS relation, NULL::oid AS through
FROM pg_trigger
WHERE NOT tgisinternal
UNION ALL
SELECT oid, NULL
FROM pg_class
WHERE relrowsecurity
UNION ALL
SELECT ev_class, NULL
FROM pg_rewrite
WHERE ev_type <> '1'
UNION ALL
-- Views that call functions, and views over other relations. A materialized
-- view only has rows.
SELECT c.oid, CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid END
FROM pg_class c
JOIN pg_rewrite r ON r.ev_class = c.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid <> c.oid
WHERE c.relkind = 'v'
  AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass)
UNION ALL
-- Defaults and generated columns that call functions.
SELECT a.adrelid, NULL
FROM pg_depend d
JOIN pg_attrdef a ON a.oid = d.objid
WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
UNION ALL
-- Checks that call functions: of the table, or of the domain of a column.
SELECT coalesce(nullif(k.conrelid, 0), a.attrelid), NULL
FROM pg_depend d
JOIN pg_constraint k ON k.oid = d.objid
LEFT JOIN pg_attribute a ON a.atttypid = k.contypid AND k.contypid <> 0
WHERE d.classid = 'pg_constraint'::regclass AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
  AND (k.conrelid <> 0 OR a.attrelid IS NOT NULL)
UNION ALL
SELECT inhparent, inhrelid
FROM pg_inherits
UNION ALL
-- Foreign keys by which a change goes on to the rows that refer.
SELECT confrelid, conrelid
FROM pg_constraint
WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
