-- The tables whose rows Citus keeps, where its extension is installed: distributed tables and reference tables.
SELECT logicalrelid::oid FROM pg_dist_partition
