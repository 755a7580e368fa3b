-- The settings of the roles that the login role can become: role, name, value. Only those that a transaction may set,
-- the parameters $1 among them. A name with a dot that PostgreSQL does not know is anybody's.
SELECT r.rolname, key, value
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
CROSS JOIN unnest(r.rolconfig) AS setting
CROSS JOIN split_part(setting, '=', 1) AS key
CROSS JOIN substr(setting, strpos(setting, '=') + 1) AS value
LEFT JOIN pg_catalog.pg_settings s ON lower(s.name) = lower(key)
WHERE m.member = quote_ident(CURRENT_USER)::regrole
  AND (s.context = 'user' OR s.name = ANY ($1) OR s.name IS NULL AND strpos(key, '.') > 0)
ORDER BY r.rolname, key
