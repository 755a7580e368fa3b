-- The `pgrst.` settings that the login role has in this database: name, value. What is set for the role in this
-- database beats what is set for the role in all of them.
SELECT DISTINCT ON (key) key, value
FROM pg_catalog.pg_db_role_setting s,
     unnest(s.setconfig) AS setting,
     split_part(setting, '=', 1) AS key,
     substr(setting, strpos(setting, '=') + 1) AS value
WHERE s.setrole = quote_ident(CURRENT_USER)::regrole
  AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
  AND starts_with(key, 'pgrst.')
ORDER BY key, s.setdatabase DESC
