-- One row per function of the schemas $1, and per function of the schemas named
-- $2 that takes a row of one of their relations and nothing else.
SELECT p.oid, n.nspname, p.proname, d.description,
       p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes,
       ARRAY(
           SELECT format_type(type, -1)
           FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS _ (type, at)
           ORDER BY at),
       p.pronargdefaults, p.prorettype, p.proretset, p.provolatile, p.proconfig, p.prorows = 1
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
WHERE p.prokind = 'f'
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND (p.pronamespace = ANY ($1)
       OR n.nspname = ANY ($2) AND p.pronargs = 1 AND EXISTS (
           SELECT
           FROM pg_type t
           JOIN pg_class c ON c.oid = t.typrelid
           WHERE t.oid = p.proargtypes[0] AND c.relnamespace = ANY ($1) AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
           -- For each function, rather than once for all relations.
           OFFSET 0))
