-- The tables of exposed schemas that have row-level security and no policy, and that an API role was granted.
SELECT format('table %I.%I', n.nspname, c.relname),
       format('Row-level security is on without a policy, and %s has privileges on it.',
              string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)),
       format('CREATE POLICY own_rows ON %I.%I USING (false);', n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = ANY ($1) AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND has_schema_privilege(r.oid, n.oid, 'USAGE')
    AND (has_table_privilege(r.oid, c.oid, 'DELETE') OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
WHERE c.relnamespace = ANY ($2) AND c.relkind IN ('r', 'p') AND c.relrowsecurity
  AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
