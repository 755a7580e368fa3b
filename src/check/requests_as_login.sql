-- The login role, where it is the anonymous role too.
SELECT format('role %I', r.rolname),
       'pgduet logs in as it, and db-anon-role names it.',
       format('CREATE ROLE anonymous NOLOGIN; GRANT anonymous TO %I;', r.rolname)
FROM pg_roles r
WHERE r.rolname = session_user AND r.oid = ANY ($1)
