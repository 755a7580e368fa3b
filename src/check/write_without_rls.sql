-- The tables of exposed schemas that have no row-level security and that an API role can write.
SELECT format('table %I.%I', n.nspname, c.relname),
       format('Row-level security is off, and %s may write.',
              string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)),
       format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY;', n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = ANY ($1) AND NOT r.rolsuper
    AND has_schema_privilege(r.oid, n.oid, 'USAGE')
    AND (has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE')
         OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))
WHERE c.relnamespace = ANY ($2) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
