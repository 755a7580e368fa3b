-- What the current role may do in a schema. One row per relation that it owns or has any privilege on, with SELECT, INSERT,
-- UPDATE and DELETE on the whole of it; one row, with the column's number, per column of those relations on parts of which
-- it has more; one row per function that it may execute, with NULLs.
WITH allowed AS MATERIALIZED (
    SELECT c.oid,
           pg_catalog.has_table_privilege(c.oid, 'SELECT') AS selects,
           pg_catalog.has_table_privilege(c.oid, 'INSERT') AS inserts,
           pg_catalog.has_table_privilege(c.oid, 'UPDATE') AS updates,
           pg_catalog.has_table_privilege(c.oid, 'DELETE') AS deletes,
           pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS selects_some,
           pg_catalog.has_any_column_privilege(c.oid, 'INSERT') AS inserts_some,
           pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') AS updates_some
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
           OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
           OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
)
SELECT oid, NULL::pg_catalog.int2, selects, inserts, updates, deletes
FROM allowed
UNION ALL
SELECT allowed.oid, a.attnum,
       pg_catalog.has_column_privilege(allowed.oid, a.attnum, 'SELECT'),
       pg_catalog.has_column_privilege(allowed.oid, a.attnum, 'INSERT'),
       pg_catalog.has_column_privilege(allowed.oid, a.attnum, 'UPDATE'),
       NULL
FROM allowed
JOIN pg_catalog.pg_attribute a ON a.attrelid = allowed.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE selects_some AND NOT selects OR inserts_some AND NOT inserts OR updates_some AND NOT updates
UNION ALL
SELECT p.oid, NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = $1 AND p.prokind = 'f' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
