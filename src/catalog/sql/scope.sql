-- The relations in the schemas $1, and the tables among the relations $2.
SELECT coalesce(array_agg(oid), '{}')
FROM pg_class
WHERE (relkind IN ('r', 'v', 'm', 'f', 'p') AND relnamespace = ANY ($1))
   OR (relkind IN ('r', 'f', 'p') AND oid = ANY ($2))
