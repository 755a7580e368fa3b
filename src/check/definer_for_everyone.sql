-- The functions with SECURITY DEFINER that can be called and that PUBLIC may execute, as PostgreSQL grants by itself.
SELECT format('function %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       format('It runs as %I, and everyone may execute it.', o.rolname),
       format('REVOKE EXECUTE ON ROUTINE %I.%I(%s) FROM PUBLIC;', n.nspname, p.proname,
              pg_get_function_identity_arguments(p.oid))
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_roles o ON o.oid = p.proowner
WHERE p.prosecdef
  AND p.pronamespace = ANY ($3)
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND EXISTS (
      SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
  AND EXISTS (SELECT FROM unnest($1) AS role WHERE has_schema_privilege(role, n.oid, 'USAGE'))
ORDER BY 1
