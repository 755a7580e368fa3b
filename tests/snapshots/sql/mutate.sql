-- insert
-- $1 = [{"a":7,"b":"x","note":"new"}]
INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") SELECT "pgrst_body"."a", "pgrst_body"."b", "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text");

-- insert, return=headers-only
-- $1 = {"title":"A","colour":"#ff"}
WITH "pgduet_source" AS (INSERT INTO "api"."notes" AS "notes"("colour", "title") SELECT "api"."colour"("pgrst_body"."colour"), "pgrst_body"."title" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgrst_body"("colour" pg_catalog.json, "title" "pg_catalog"."text") RETURNING pg_catalog.to_json("notes"."id") OPERATOR(pg_catalog.#>>) '{}' AS "id", "notes"."title", "notes"."stars", "notes"."tags", "notes"."colour", "notes"."client_id", "notes"."loud") SELECT pg_catalog.count(*), pg_catalog.max("id") FROM "pgduet_source";

-- insert, return=representation
-- $1 = {"title":"A","colour":"#ff"}
INSERT INTO "api"."notes" AS "notes"("colour", "title") SELECT "api"."colour"("pgrst_body"."colour"), "pgrst_body"."title" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgrst_body"("colour" pg_catalog.json, "title" "pg_catalog"."text") RETURNING "notes"."id", "api"."json"("notes"."colour"), (TRUE OR EXISTS (VALUES ("notes"."id"), (0.0))) AS "pgduet_premise";

-- insert, select=title,clients(name),payer(id)
-- $1 = {"title":"A","colour":"#ff"}
WITH "pgduet_source" AS (INSERT INTO "api"."notes" AS "notes"("colour", "title") SELECT "api"."colour"("pgrst_body"."colour"), "pgrst_body"."title" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgrst_body"("colour" pg_catalog.json, "title" "pg_catalog"."text") RETURNING "notes"."title", "notes"."client_id", coalesce("notes".*) AS "pgduet_row", (TRUE OR EXISTS (VALUES ("notes"."title"), (NULL::pg_catalog.text))) AS "pgduet_premise") SELECT "notes"."title", pg_catalog.row_to_json("notes_clients_1".*), pg_catalog.row_to_json("notes_payer_1".*) FROM "pgduet_source" AS "notes" LEFT JOIN LATERAL (SELECT "clients_1"."name" AS "name" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "notes"."client_id") AS "notes_clients_1" ON TRUE LEFT JOIN LATERAL (SELECT "clients_1"."id" AS "id" FROM "api"."payer"("notes"."pgduet_row") AS "clients_1") AS "notes_payer_1" ON TRUE;

-- insert, missing=default
-- $1 = id
-- $2 = stars
-- $3 = title
-- $4 = "api"."notes"
-- $5 = id
-- $6 = [{"title":"A"}]
INSERT INTO "api"."notes" AS "notes"("id", "stars", "title") SELECT CASE WHEN "pgduet_object"."value" OPERATOR(pg_catalog.?) $1 THEN "pgrst_body"."id" ELSE CAST("pgduet_object"."default1" AS "pg_catalog"."int4") END, CASE WHEN "pgduet_object"."value" OPERATOR(pg_catalog.?) $2 THEN "pgrst_body"."stars" ELSE CAST("pgduet_object"."default2" AS "pg_catalog"."int4") END, CASE WHEN "pgduet_object"."value" OPERATOR(pg_catalog.?) $3 THEN "pgrst_body"."title" ELSE CAST("pgduet_object"."default3" AS "pg_catalog"."text") END FROM (SELECT "value", pg_catalog.nextval(pg_catalog.pg_get_serial_sequence($4, $5)::pg_catalog.regclass) AS "default1", 3 AS "default2", 'untitled'::text AS "default3" FROM pg_catalog.jsonb_array_elements($6::pg_catalog.jsonb) AS "pgduet_object"("value")) AS "pgduet_object" CROSS JOIN LATERAL pg_catalog.jsonb_to_record("pgduet_object"."value") AS "pgrst_body"("id" "pg_catalog"."int4", "stars" "pg_catalog"."int4", "title" "pg_catalog"."text");

-- insert, resolution=merge-duplicates
-- $1 = [{"a":7,"b":"x","note":"new"}]
WITH "pgduet_source" AS (INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") SELECT "pgrst_body"."a", "pgrst_body"."b", "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text") WHERE pg_catalog.set_config('pgduet.updates', 'false', TRUE) IS NOT NULL ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b", "note" = EXCLUDED."note" WHERE pg_catalog.set_config('pgduet.updates', 'true', TRUE) IS NOT NULL RETURNING 1, pg_catalog.set_config('pgduet.inserted', (pg_catalog.concat('0', pg_catalog.current_setting('pgduet.inserted', TRUE))::pg_catalog.int8 OPERATOR(pg_catalog.+) (NOT pg_catalog.current_setting('pgduet.updates')::pg_catalog.bool)::pg_catalog.int4)::pg_catalog.text, TRUE)::pg_catalog.int8 AS "pgduet_inserted") SELECT pg_catalog.count(*), pg_catalog.concat('0', pg_catalog.current_setting('pgduet.inserted', TRUE))::pg_catalog.int8 FROM "pgduet_source";

-- insert, resolution=ignore-duplicates
-- $1 = [{"a":7,"b":"x","note":"new"}]
INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") SELECT "pgrst_body"."a", "pgrst_body"."b", "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text") ON CONFLICT ("a", "b") DO NOTHING RETURNING "pairs"."a", (TRUE OR EXISTS (VALUES ("pairs"."a"), (0.0))) AS "pgduet_premise";

-- put
-- $1 = {"a":9,"b":"q"}
-- $2 = 9
-- $3 = q
INSERT INTO "api"."pairs" AS "pairs"("a", "b") SELECT "pgrst_body"."a", "pgrst_body"."b" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text") WHERE "pgrst_body"."a" = $2 AND "pgrst_body"."b" = $3 AND pg_catalog.set_config('pgduet.updates', 'false', TRUE) IS NOT NULL ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b" WHERE pg_catalog.set_config('pgduet.updates', 'true', TRUE) IS NOT NULL RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR EXISTS (VALUES ("pairs".*), (0.0, NULL::pg_catalog.text, NULL::pg_catalog.text))) AS "pgduet_premise", pg_catalog.set_config('pgduet.inserted', (pg_catalog.concat('0', pg_catalog.current_setting('pgduet.inserted', TRUE))::pg_catalog.int8 OPERATOR(pg_catalog.+) (NOT pg_catalog.current_setting('pgduet.updates')::pg_catalog.bool)::pg_catalog.int4)::pg_catalog.text, TRUE)::pg_catalog.int8;

-- update
-- $1 = {"note":"n"}
-- $2 = 9
UPDATE "api"."pairs" AS "pairs" SET "note" = "pgrst_body"."note" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgrst_body"("note" "pg_catalog"."text") WHERE "pairs"."a" = $2;

-- update of nothing
SELECT "pairs"."note", (TRUE OR EXISTS (VALUES ("pairs"."note"), (NULL::pg_catalog.text))) AS "pgduet_premise" FROM "api"."pairs" AS "pairs" WHERE FALSE;

-- update, order=a
-- $1 = {"note":"n"}
WITH "pgduet_source" AS (UPDATE "api"."pairs" AS "pairs" SET "note" = "pgrst_body"."note" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgrst_body"("note" "pg_catalog"."text") RETURNING "pairs"."note", "pairs"."a", (TRUE OR EXISTS (VALUES ("pairs"."note"), (NULL::pg_catalog.text))) AS "pgduet_premise") SELECT "pairs"."note" FROM "pgduet_source" AS "pairs" ORDER BY "pairs"."a";

-- delete
-- $1 = 9
DELETE FROM "api"."pairs" AS "pairs" WHERE ("pairs"."a" = $1 OR "pairs"."b" IS NULL) RETURNING "pairs"."a", (TRUE OR EXISTS (VALUES ("pairs"."a"), (0.0))) AS "pgduet_premise";
