-- One row per foreign key, of the relations $1 if they are given; columns by number. A partition's copy of its parent's
-- key is left out.
SELECT conname, conrelid, conkey, confrelid, confkey
FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND ($1::oid[] IS NULL OR conrelid = ANY ($1))
