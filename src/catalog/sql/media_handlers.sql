-- One row per aggregate of the schemas $1 over a relation's rows, or over
-- anyelement (0), that returns a domain named like a media type.
SELECT lower(t.typname), n.nspname, p.proname, arg.typrelid
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_type t ON t.oid = p.prorettype AND t.typtype = 'd' AND strpos(t.typname, '/') > 0
JOIN pg_type arg ON arg.oid = p.proargtypes[0]
WHERE p.prokind = 'a' AND p.pronargs = 1 AND p.pronamespace = ANY ($1)
  AND (arg.typrelid <> 0 OR arg.oid = 'anyelement'::regtype)
ORDER BY 1, 2, 3, 4
