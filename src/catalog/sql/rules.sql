-- One row per view and materialized view in the schemas named $1: the node
-- tree of its query. Column origins are read out of it. Where $2 is given, of these only.
SELECT c.oid, r.ev_action::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
WHERE c.relkind IN ('v', 'm') AND n.nspname = ANY ($1) AND ($2::oid[] IS NULL OR c.oid = ANY ($2))
