-- One row per object that a row of the system catalogs written by transaction $1 or a later one is about: its catalog and
-- its OID. Both are 0 where such a row may be about everything: names of schemas are in the names of all that is in them,
-- and what PostgreSQL comes with is not in pg_depend. A row's own transaction is a number that comes again after four
-- billion others: rows that seem to come from the future are older than that, and have not changed.
SELECT DISTINCT class, object
FROM (
    SELECT CASE WHEN c.oid < 16384 OR c.relnamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE 'pg_class'::regclass::oid END,
           CASE WHEN c.oid < 16384 OR c.relnamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE coalesce(i.indrelid, c.oid) END
    FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relpersistence <> 't' AND c.relkind <> 't' AND age(c.xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    -- A sequence's name is part of its column's default.
    SELECT 'pg_class'::regclass, d.refobjid
    FROM pg_class c
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
    WHERE c.relkind = 'S' AND d.deptype IN ('a', 'i') AND age(c.xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, attrelid
    FROM pg_attribute
    WHERE attnum > 0 AND age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, adrelid
    FROM pg_attrdef
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT CASE conrelid WHEN 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass::oid END,
           CASE conrelid WHEN 0 THEN contypid ELSE conrelid END
    FROM pg_constraint
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, indrelid
    FROM pg_index
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, objoid
    FROM pg_description
    WHERE classoid = 'pg_class'::regclass AND age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, ev_class
    FROM pg_rewrite
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, tgrelid
    FROM pg_trigger
    WHERE NOT tgisinternal AND age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, inhrelid
    FROM pg_inherits
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_class'::regclass, ftrelid
    FROM pg_foreign_table
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT CASE WHEN oid < 16384 OR typnamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE 'pg_type'::regclass::oid END,
           CASE WHEN oid < 16384 OR typnamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE oid END
    FROM pg_type
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 'pg_type'::regclass, enumtypid
    FROM pg_enum
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT CASE WHEN oid < 16384 OR pronamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE 'pg_proc'::regclass::oid END,
           CASE WHEN oid < 16384 OR pronamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE oid END
    FROM pg_proc
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT CASE WHEN oid < 16384 OR oprnamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE 'pg_operator'::regclass::oid END,
           CASE WHEN oid < 16384 OR oprnamespace = 'pg_catalog'::regnamespace THEN 0::oid ELSE oid END
    FROM pg_operator
    WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_' AND age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_collation WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_cast WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_ts_config WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_ts_dict WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_foreign_server WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
    UNION ALL
    SELECT 0, 0 FROM pg_foreign_data_wrapper WHERE age(xmin) BETWEEN 0 AND (SELECT age($1::text::xid))
) fresh (class, object)
-- Nobody reads so many one by one.
LIMIT 1001
