-- The functions with SECURITY DEFINER that an API role may execute and that look names up in the caller's search_path.
-- The names in a body of standard SQL were looked up when the function was created; code in C has none.
SELECT format('function %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       format('It runs as %I with the search_path of its caller, and %s may execute it.', o.rolname,
              string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)),
       format('ALTER ROUTINE %I.%I(%s) SET search_path = %I, pg_temp;', n.nspname, p.proname,
              pg_get_function_identity_arguments(p.oid), n.nspname)
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_roles o ON o.oid = p.proowner
JOIN pg_roles r ON r.oid = ANY ($1) AND NOT r.rolsuper
    AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
WHERE p.prosecdef
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND p.prosqlbody IS NULL
  AND l.lanname NOT IN ('c', 'internal')
  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE starts_with(setting, 'search_path='))
GROUP BY n.nspname, p.proname, p.oid, o.rolname
ORDER BY 1
