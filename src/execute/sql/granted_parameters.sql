-- The superuser's parameters that the login role was granted (GRANT SET ON PARAMETER), from PostgreSQL 15 on: name.
SELECT name
FROM pg_catalog.pg_settings
WHERE context <> 'user' AND has_parameter_privilege(name, 'SET')
