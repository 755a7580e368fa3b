-- The columns that these relations have now, each with the relation's place in the list of [schema, name].
SELECT wanted.place, a.attname::text
FROM pg_catalog.json_array_elements($1::json) WITH ORDINALITY AS wanted (name, place)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name->>0
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name->>1
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
