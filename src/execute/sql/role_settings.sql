-- The settings of the roles that the login role can become: role, name, value. Only those that a transaction may set.
SELECT r.rolname, key, value
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid,
     unnest(r.rolconfig) AS setting,
     lower(split_part(setting, '=', 1)) AS key,
     substr(setting, strpos(setting, '=') + 1) AS value
WHERE m.member = CURRENT_USER::regrole
  AND (strpos(key, '.') > 0 OR EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = key AND s.context = 'user'))
ORDER BY r.rolname, key
