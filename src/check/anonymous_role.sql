-- An anonymous role that does not exist, or that the login role cannot become.
SELECT format('role %I', given.name),
       CASE
           WHEN r.oid IS NULL THEN 'db-anon-role names it, and it does not exist.'
           ELSE 'db-anon-role names it, and the login role is not a member of it.'
       END,
       CASE WHEN r.oid IS NULL THEN format('CREATE ROLE %I NOLOGIN; ', given.name) ELSE '' END
           || format('GRANT %I TO %I;', given.name, session_user)
FROM (VALUES ($4)) AS given (name)
LEFT JOIN pg_roles r ON r.rolname = given.name
WHERE given.name IS NOT NULL
  AND NOT coalesce(pg_has_role(session_user, r.oid, 'MEMBER'), false)
