-- What the current role may do in a schema, unless that is known. The first row has the state in which it holds: the
-- transactions whose effects are visible, and the role. Nothing else comes where this is the state that is known, for no
-- privilege changes without a transaction. A standby does not tell all transactions that it waits for, and has no state.
-- Then there is one row per relation that the role owns or has any privilege on, with SELECT, INSERT, UPDATE and DELETE on
-- the whole of it; one row, with the column's number, per column of those relations on parts of which it has more; one row
-- per function that it may execute, with NULLs.
WITH state AS MATERIALIZED (
    SELECT CASE
               WHEN NOT pg_catalog.pg_is_in_recovery()
               THEN pg_catalog.concat_ws(' ', pg_catalog.pg_current_snapshot(), CURRENT_USER)
           END AS now
),
described AS MATERIALIZED (
    SELECT n.oid
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname = $1 AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND (SELECT now OPERATOR(pg_catalog.=) $2 FROM state) IS NOT TRUE
),
allowed AS MATERIALIZED (
    SELECT c.oid,
           pg_catalog.has_table_privilege(c.oid, 'SELECT') AS selects,
           pg_catalog.has_table_privilege(c.oid, 'INSERT') AS inserts,
           pg_catalog.has_table_privilege(c.oid, 'UPDATE') AS updates,
           pg_catalog.has_table_privilege(c.oid, 'DELETE') AS deletes,
           pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS selects_some,
           pg_catalog.has_any_column_privilege(c.oid, 'INSERT') AS inserts_some,
           pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') AS updates_some
    FROM pg_catalog.pg_class c
    WHERE (SELECT oid FROM described) IS NOT NULL AND c.relnamespace = (SELECT oid FROM described)
      AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
      AND (pg_catalog.pg_has_role(c.relowner, 'USAGE')
           OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
           OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
)
SELECT NULL::pg_catalog.oid, NULL::pg_catalog.int2, NULL::pg_catalog.bool, NULL::pg_catalog.bool, NULL::pg_catalog.bool,
       NULL::pg_catalog.bool, now
FROM state
UNION ALL
SELECT oid, NULL, selects, inserts, updates, deletes, NULL
FROM allowed
UNION ALL
SELECT allowed.oid, a.attnum,
       pg_catalog.has_column_privilege(allowed.oid, a.attnum, 'SELECT'),
       pg_catalog.has_column_privilege(allowed.oid, a.attnum, 'INSERT'),
       pg_catalog.has_column_privilege(allowed.oid, a.attnum, 'UPDATE'),
       NULL, NULL
FROM allowed
JOIN pg_catalog.pg_attribute a ON a.attrelid = allowed.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE selects_some AND NOT selects OR inserts_some AND NOT inserts OR updates_some AND NOT updates
UNION ALL
SELECT p.oid, NULL, NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_proc p
WHERE (SELECT oid FROM described) IS NOT NULL
  -- The planner would ask for the privilege on each function of the database first.
  AND CASE
          WHEN p.pronamespace = (SELECT oid FROM described) AND p.prokind = 'f'
          THEN pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
      END
