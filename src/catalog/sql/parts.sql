-- What relations have that can go without a trace in any other row: per catalog, the parts and the relations that they
-- are of.
SELECT 1, coalesce(array_agg(oid), '{}'), coalesce(array_agg(conrelid), '{}') FROM pg_constraint WHERE conrelid <> 0
UNION ALL
SELECT 2, coalesce(array_agg(indexrelid), '{}'), coalesce(array_agg(indrelid), '{}') FROM pg_index
UNION ALL
SELECT 3, coalesce(array_agg(oid), '{}'), coalesce(array_agg(tgrelid), '{}') FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 4, coalesce(array_agg(oid), '{}'), coalesce(array_agg(ev_class), '{}') FROM pg_rewrite
UNION ALL
SELECT 5, coalesce(array_agg(objsubid::oid), '{}'), coalesce(array_agg(objoid), '{}')
FROM pg_description
WHERE classoid = 'pg_class'::regclass
