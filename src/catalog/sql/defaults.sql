-- One row per default or generated expression of the columns in the schemas $1
-- and the relations $2, and per sequence of an identity column.
-- An expression is written out once for all columns that have the same: that
-- takes PostgreSQL ten times longer than to compare it.
-- Where $3 is given, of these only.
WITH given AS MATERIALIZED (
    SELECT d.oid, d.adrelid, d.adnum, d.adbin::text AS tree
    FROM pg_attrdef d
    JOIN pg_class c ON c.oid = d.adrelid
    WHERE (c.relnamespace = ANY ($1) OR c.oid = ANY ($2)) AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
), written AS MATERIALIZED (
    SELECT once.tree, pg_get_expr(d.adbin, d.adrelid) AS expression
    FROM (SELECT tree, min(oid) AS oid FROM given GROUP BY tree) once
    JOIN pg_attrdef d USING (oid)
)
SELECT given.adrelid, given.adnum::int4, written.expression
FROM given
JOIN written USING (tree)
UNION ALL
SELECT d.refobjid, d.refobjsubid, format('nextval(%L::regclass)', format('%I.%I', n.nspname, s.relname))
FROM pg_depend d
JOIN pg_class c ON c.oid = d.refobjid
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
  AND (c.relnamespace = ANY ($1) OR c.oid = ANY ($2))
  AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
