-- One row per implicit cast by a function between a domain and json or text.
SELECT c.castsource, c.casttarget, n.nspname, p.proname
FROM pg_cast c
JOIN pg_type s ON s.oid = c.castsource
JOIN pg_type t ON t.oid = c.casttarget
JOIN pg_proc p ON p.oid = c.castfunc
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE c.castcontext = 'i' AND c.castmethod = 'f' AND has_function_privilege(p.oid, 'execute')
  AND (s.typtype = 'd' AND t.oid IN ('json'::regtype, 'text'::regtype)
       OR t.typtype = 'd' AND s.oid IN ('json'::regtype, 'text'::regtype))
ORDER BY c.castsource, c.casttarget
