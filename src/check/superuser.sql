-- The login role and API roles that are superusers.
SELECT format('role %I', r.rolname),
       CASE r.rolname
           WHEN session_user THEN 'pgduet logs in as a superuser: a token that names any role becomes it.'
           ELSE 'Requests can run as a superuser.'
       END,
       CASE r.rolname
           WHEN session_user THEN format(
               'CREATE ROLE authenticator LOGIN NOINHERIT;%s',
               (SELECT ' GRANT ' || string_agg(quote_ident(a.rolname), ', ' ORDER BY a.rolname) || ' TO authenticator;'
                FROM pg_roles a
                WHERE a.oid = ANY ($1) AND NOT a.rolsuper))
           ELSE format('ALTER ROLE %I NOSUPERUSER;', r.rolname)
       END
FROM pg_roles r
WHERE r.rolsuper AND (r.oid = ANY ($1) OR r.rolname = session_user)
ORDER BY r.rolname
