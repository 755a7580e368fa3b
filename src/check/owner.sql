-- The tables of exposed schemas that the login role or an API role owns, or has the rights of the owner of.
SELECT format('table %I.%I', n.nspname, c.relname),
       format('%s has the rights of its owner.', string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)),
       format('ALTER TABLE %I.%I OWNER TO api_owner;', n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON (r.oid = ANY ($1) OR r.rolname = session_user) AND NOT r.rolsuper
    AND pg_has_role(r.oid, c.relowner, 'USAGE')
WHERE c.relnamespace = ANY ($2) AND c.relkind IN ('r', 'p')
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
