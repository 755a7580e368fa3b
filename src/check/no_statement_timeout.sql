-- The API roles whose requests may run for ever. What counts is what pgduet applies: a setting of the role itself, for
-- all databases, where the login role was granted it directly; else that of the session.
SELECT format('role %I', r.rolname),
       CASE WHEN own.value IS NOT NULL AND direct.granted THEN 'Its statement_timeout is 0.'
            WHEN own.value IS NOT NULL THEN format('It has a statement_timeout, but is not granted to %I.', session_user)
            ELSE 'It has no statement_timeout.'
       END,
       CASE WHEN direct.granted THEN '' ELSE format('GRANT %I TO %I; ', r.rolname, session_user) END
       || format('ALTER ROLE %I SET statement_timeout = ''10s'';', r.rolname)
FROM pg_roles r
CROSS JOIN LATERAL (
    SELECT r.rolname = session_user OR EXISTS (
        SELECT FROM pg_auth_members m JOIN pg_roles l ON l.oid = m.member
        WHERE m.roleid = r.oid AND l.rolname = session_user) AS granted
) AS direct
LEFT JOIN LATERAL (
    SELECT substr(setting, strpos(setting, '=') + 1) AS value
    FROM unnest(r.rolconfig) AS setting
    WHERE starts_with(setting, 'statement_timeout=')
) AS own ON true
CROSS JOIN (SELECT reset_val FROM pg_settings WHERE name = 'statement_timeout') AS session
WHERE r.oid = ANY ($1)
  AND NOT coalesce(CASE WHEN direct.granted THEN own.value END, session.reset_val) ~ '[1-9]'
ORDER BY r.rolname
