-- The schemas that requests search and that an API role may create objects in.
SELECT format('schema %I', n.nspname),
       format('%s may create objects in it.', string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)),
       format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %s;', n.nspname,
              string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname))
FROM pg_namespace n
JOIN pg_roles r ON r.oid = ANY ($1) AND NOT r.rolsuper AND has_schema_privilege(r.oid, n.oid, 'CREATE')
WHERE n.oid = ANY ($3)
GROUP BY n.nspname
ORDER BY n.nspname
