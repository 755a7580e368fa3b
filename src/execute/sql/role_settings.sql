-- The settings of the roles that the login role can become: role, name, value. Only those that a transaction may set.
SELECT r.rolname, name, value
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid,
     unnest(r.rolconfig) AS setting,
     lower(split_part(setting, '=', 1)) AS name,
     substr(setting, strpos(setting, '=') + 1) AS value
WHERE m.member = CURRENT_USER::regrole
  AND (EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = name AND s.context = 'user') OR strpos(name, '.') > 0)
ORDER BY r.rolname, name
