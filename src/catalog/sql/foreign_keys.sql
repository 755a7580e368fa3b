-- One row per foreign key; columns by number. A partition's copy of its parent's
-- key is left out.
SELECT conname, conrelid, conkey, confrelid, confkey
FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0
ORDER BY conrelid, conname
