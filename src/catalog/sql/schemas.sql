-- One row per schema of the names $1 that exists.
SELECT n.oid, n.nspname, d.description
FROM pg_namespace n
LEFT JOIN pg_description d ON d.objoid = n.oid AND d.classoid = 'pg_namespace'::regclass
WHERE n.nspname = ANY ($1)
