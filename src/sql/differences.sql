-- One row for each thing that the database does not have as it is known: with this OID, in this schema, by this name
-- and, where they are known, with these columns, each a pair of its name and the OID of its type.
SELECT known.oid::int8
FROM pg_catalog.json_to_recordset($1::json)
    AS known (class text, oid oid, schema text, name text, columns jsonb)
WHERE NOT EXISTS (
    SELECT
    FROM (
        SELECT c.relnamespace, c.relname, c.oid FROM pg_catalog.pg_class c
        WHERE known.class = 'relation' AND c.oid = known.oid
        UNION ALL
        SELECT t.typnamespace, t.typname, t.typrelid FROM pg_catalog.pg_type t
        WHERE known.class = 'type' AND t.oid = known.oid
        UNION ALL
        SELECT p.pronamespace, p.proname, 0 FROM pg_catalog.pg_proc p
        WHERE known.class = 'function' AND p.oid = known.oid
    ) AS there (namespace, name, columns_of)
    JOIN pg_catalog.pg_namespace n ON n.oid = there.namespace
    WHERE n.nspname = known.schema AND there.name = known.name
      AND (known.columns IS NULL OR known.columns = (
          SELECT coalesce(
              pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attname, a.atttypid::int8) ORDER BY a.attnum), '[]')
          FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = there.columns_of AND a.attnum > 0 AND NOT a.attisdropped)))
