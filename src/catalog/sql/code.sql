-- Which relations run code of the database's authors where they are read. One row
-- per reason: where `through` is NULL the relation does by itself, else reading it
-- reads the relation `through` too. What PostgreSQL comes with is not in pg_depend.
SELECT oid AS relation, NULL::oid AS through
FROM pg_class
WHERE relrowsecurity OR relkind = 'f'
UNION ALL
-- Views that call functions or cast to domains, and views over other relations. A
-- materialized view only has rows.
SELECT c.oid, CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid END
FROM pg_class c
JOIN pg_rewrite r ON r.ev_class = c.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid <> c.oid
LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
WHERE c.relkind = 'v'
  AND (d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass) OR t.typtype = 'd')
UNION ALL
-- Views that call volatile functions of PostgreSQL's own, such as set_config and those of advisory locks. They are pinned,
-- so that only the query itself tells of them.
SELECT c.oid, NULL
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
JOIN pg_rewrite r ON r.ev_class = c.oid
WHERE c.relkind = 'v' AND r.oid >= 16384 AND EXISTS (
    SELECT FROM string_to_table(r.ev_action::text, ':funcid ') AS behind
    WHERE split_part(behind, ' ', 1) IN (SELECT oid::text FROM pg_proc WHERE provolatile = 'v' AND oid < 16384))
UNION ALL
SELECT inhparent, inhrelid
FROM pg_inherits
