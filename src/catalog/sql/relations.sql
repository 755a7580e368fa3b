-- One row per relation in the schemas $1, and per table among the relations $2.
-- `writes` has the bits of pg_relation_is_updatable: 4 update, 8 insert, 16 delete;
-- it fails on foreign tables whose wrapper has no handler.
-- Where $3 is given, of these only.
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.reltype, d.description,
       CASE c.relkind
           WHEN 'r' THEN 28
           WHEN 'p' THEN 28
           WHEN 'm' THEN 0
           WHEN 'f' THEN CASE w.fdwhandler WHEN 0 THEN 0 ELSE pg_relation_is_updatable(c.oid, true) END
           ELSE pg_relation_is_updatable(c.oid, true)
       END AS writes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
LEFT JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE ((c.relkind IN ('r', 'v', 'm', 'f', 'p') AND c.relnamespace = ANY ($1))
       OR (c.relkind IN ('r', 'f', 'p') AND c.oid = ANY ($2)))
  AND ($3::oid[] IS NULL OR c.oid = ANY ($3))
