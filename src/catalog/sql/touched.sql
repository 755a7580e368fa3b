-- One row per relation among the objects of the catalogs $1 with the OIDs $2, and per relation that mentions one of them in
-- the type of a column, a default, a CHECK constraint or a view's query.
WITH RECURSIVE touched (class, object) AS (
    SELECT * FROM unnest($1::oid[], $2::oid[])
    UNION
    SELECT CASE WHEN d.classid = 'pg_type'::regclass OR k.conrelid = 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END::oid,
           CASE
               WHEN r.oid IS NOT NULL THEN r.ev_class
               WHEN e.oid IS NOT NULL THEN e.adrelid
               WHEN k.oid IS NOT NULL THEN CASE k.conrelid WHEN 0 THEN k.contypid ELSE k.conrelid END
               ELSE d.objid
           END
    FROM touched t
    JOIN pg_depend d ON d.refclassid = t.class AND d.refobjid = t.object
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'c'
    WHERE r.oid IS NOT NULL OR e.oid IS NOT NULL OR k.oid IS NOT NULL OR d.classid = 'pg_type'::regclass
       OR d.classid = 'pg_class'::regclass AND t.class <> 'pg_class'::regclass
)
SELECT object FROM touched WHERE class = 'pg_class'::regclass
