-- Whether the database's authors have made operators, or casts that apply by themselves: any comparison may then run
-- the authors' code. Operators and casts of extensions do not count, nor do casts of domains, which PostgreSQL never applies
-- implicitly.
SELECT EXISTS (
         SELECT FROM pg_operator o
         WHERE o.oid >= 16384 AND NOT EXISTS (
           SELECT FROM pg_depend d
           WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'))
    OR EXISTS (
         SELECT FROM pg_cast k
         JOIN pg_type s ON s.oid = k.castsource AND s.typtype <> 'd'
         JOIN pg_type t ON t.oid = k.casttarget AND t.typtype <> 'd'
         WHERE k.oid >= 16384 AND k.castcontext = 'i' AND k.castfunc >= 16384 AND NOT EXISTS (
           SELECT FROM pg_depend d
           WHERE d.classid = 'pg_cast'::regclass AND d.objid = k.oid AND d.deptype = 'e'))
