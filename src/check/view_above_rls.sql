-- The views of exposed schemas that an API role may read and that read tables with row-level security as a role that it
-- does not hold for. PostgreSQL reads what a view refers to as the view's owner, or with security_invoker as whoever
-- asks (who is NULL here, and is judged by the policies); a view below another is judged by itself.
WITH RECURSIVE views AS (
    SELECT c.oid,
           CASE WHEN coalesce((SELECT option_value::bool FROM pg_options_to_table(c.reloptions)
                               WHERE option_name = 'security_invoker'), false)
                THEN NULL ELSE c.relowner END AS reader
    FROM pg_class c
    WHERE c.relkind IN ('v', 'm')
), refers AS (
    SELECT DISTINCT w.ev_class AS view, d.refobjid AS relation
    FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
    WHERE w.ev_type = '1'
), reads (view, relation, reader, source) AS (
    SELECT v.oid, v.oid, v.reader, v.oid
    FROM views v
    JOIN pg_class c ON c.oid = v.oid
    WHERE c.relnamespace = ANY ($2)
    UNION
    SELECT r.view, f.relation,
           CASE WHEN v.oid IS NULL THEN r.reader ELSE v.reader END,
           CASE WHEN v.oid IS NULL THEN r.source ELSE v.oid END
    FROM reads r
    JOIN refers f ON f.view = r.relation
    LEFT JOIN views v ON v.oid = f.relation
), uncovered AS (
    SELECT r.view,
           string_agg(DISTINCT format('%I.%I', n.nspname, t.relname), ', ') AS tables,
           string_agg(DISTINCT quote_ident(o.rolname), ', ') AS readers,
           string_agg(DISTINCT format('ALTER VIEW %I.%I SET (security_invoker = true);', m.nspname, s.relname), ' ')
               AS remedy,
           current_setting('server_version_num')::int4 >= 150000 AND every(s.relkind = 'v') AS can_invoke
    FROM reads r
    JOIN pg_class t ON t.oid = r.relation AND t.relrowsecurity
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_class s ON s.oid = r.source
    JOIN pg_namespace m ON m.oid = s.relnamespace
    JOIN pg_roles o ON o.oid = r.reader
    WHERE o.rolsuper OR o.rolbypassrls OR NOT t.relforcerowsecurity AND pg_has_role(o.oid, t.relowner, 'USAGE')
    GROUP BY r.view
)
SELECT format('view %I.%I', n.nspname, c.relname),
       format('%s may read it, and it reads %s as %s, whom row-level security does not hold for.',
              string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname), u.tables, u.readers),
       CASE WHEN u.can_invoke THEN u.remedy
            ELSE format('REVOKE ALL ON %I.%I FROM PUBLIC, %s;', n.nspname, c.relname,
                        string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname))
       END
FROM uncovered u
JOIN pg_class c ON c.oid = u.view
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = ANY ($1) AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND has_schema_privilege(r.oid, n.oid, 'USAGE')
    AND has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')
GROUP BY n.nspname, c.relname, u.tables, u.readers, u.remedy, u.can_invoke
ORDER BY n.nspname, c.relname
