-- The login role and API roles that row-level security does not hold for; superusers are told elsewhere.
SELECT format('role %I', r.rolname),
       CASE r.rolname
           WHEN session_user THEN 'pgduet logs in as a role with BYPASSRLS.'
           ELSE 'Requests can run as a role with BYPASSRLS.'
       END,
       format('ALTER ROLE %I NOBYPASSRLS;', r.rolname)
FROM pg_roles r
WHERE r.rolbypassrls AND NOT r.rolsuper AND (r.oid = ANY ($1) OR r.rolname = session_user)
ORDER BY r.rolname
