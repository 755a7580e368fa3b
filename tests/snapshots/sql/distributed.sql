-- insert
-- $1 = {"title":"A\u00e9","colour":"#ff","stars":null}
WITH "pgduet_source" AS (INSERT INTO "api"."notes" AS "notes"("colour", "stars", "title") SELECT "api"."colour"("pgrst_body"."colour"), "pgrst_body"."stars", "pgrst_body"."title" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("colour" pg_catalog.json, "stars" "pg_catalog"."int4", "title" "pg_catalog"."text") RETURNING 1) SELECT pg_catalog.count(*) FROM "pgduet_source";

-- insert, return=headers-only
-- $1 = {"title":"A\u00e9","colour":"#ff","stars":null}
WITH "pgduet_source" AS (INSERT INTO "api"."notes" AS "notes"("colour", "stars", "title") SELECT "api"."colour"("pgrst_body"."colour"), "pgrst_body"."stars", "pgrst_body"."title" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("colour" pg_catalog.json, "stars" "pg_catalog"."int4", "title" "pg_catalog"."text") RETURNING "notes"."id" AS "id", "notes"."title", "notes"."stars", "notes"."tags", "notes"."colour", "notes"."client_id", "notes"."loud") SELECT pg_catalog.count(*), pg_catalog.max(pg_catalog.to_json("id") OPERATOR(pg_catalog.#>>) '{}') FROM "pgduet_source";

-- insert, return=representation
-- $1 = {"title":"A\u00e9","colour":"#ff","stars":null}
INSERT INTO "api"."notes" AS "notes"("colour", "stars", "title") SELECT "api"."colour"("pgrst_body"."colour"), "pgrst_body"."stars", "pgrst_body"."title" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("colour" pg_catalog.json, "stars" "pg_catalog"."int4", "title" "pg_catalog"."text") RETURNING "notes"."title", "api"."json"("notes"."colour"), "notes"."stars", (TRUE OR coalesce("notes"."title", NULL::pg_catalog.text) IS NULL OR coalesce("notes"."stars", 0.0) IS NULL) AS "pgduet_premise";

-- insert of an array
-- $1 = {"title":"A","tags":["x","y"]}
INSERT INTO "api"."notes" AS "notes"("tags", "title") SELECT "pgrst_body"."tags", "pgrst_body"."title" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("tags" "pg_catalog"."_text", "title" "pg_catalog"."text") RETURNING "notes"."title", pg_catalog.to_json("notes"."tags"), (TRUE OR coalesce("notes"."title", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise";

-- insert of many
-- $1 = [{"a":71,"b":"x","note":"n"},{"a":72,"b":"x","note":"m"}]
WITH "pgduet_source" AS (INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") SELECT "pgrst_body"."a", "pgrst_body"."b", "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text") RETURNING 1) SELECT pg_catalog.count(*) FROM "pgduet_source";

-- insert, resolution=merge-duplicates
-- $1 = [{"a":71,"b":"x","note":"n"},{"a":72,"b":"x","note":"m"}]
INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") SELECT "pgrst_body"."a", "pgrst_body"."b", "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text") ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b", "note" = EXCLUDED."note" RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR ROW(NULL, NULL, NULL)::"api"."pairs" IS NULL OR coalesce("pairs"."a", 0.0) IS NULL OR coalesce("pairs"."b", NULL::pg_catalog.text) IS NULL OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise", ("xmax" OPERATOR(pg_catalog.=) 0)::pg_catalog.int4;

-- insert of one, resolution=merge-duplicates
-- $1 = {"a":7,"b":"x","note":"n"}
-- $2 = a
-- $3 = b
-- $4 = note
WITH "pgduet_source" AS (INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") VALUES (CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."int4"), CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $3::pg_catalog.text AS "pg_catalog"."text"), CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $4::pg_catalog.text AS "pg_catalog"."text")) ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b", "note" = EXCLUDED."note" RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR ROW(NULL, NULL, NULL)::"api"."pairs" IS NULL OR coalesce("pairs"."a", 0.0) IS NULL OR coalesce("pairs"."b", NULL::pg_catalog.text) IS NULL OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise", ("xmax" OPERATOR(pg_catalog.=) 0)::pg_catalog.int4 AS "pgduet_inserted") SELECT "pairs"."a", "pairs"."b", "pairs"."note", (SELECT pg_catalog.sum("pgduet_inserted") FROM "pgduet_source") FROM "pgduet_source" AS "pairs";

-- insert, merge-duplicates, seen by nobody
-- $1 = [{"a":71,"b":"x","note":"n"},{"a":72,"b":"x","note":"m"}]
WITH "pgduet_source" AS (INSERT INTO "api"."pairs" AS "pairs"("a", "b", "note") SELECT "pgrst_body"."a", "pgrst_body"."b", "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text") ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b", "note" = EXCLUDED."note" RETURNING 1, ("xmax" OPERATOR(pg_catalog.=) 0)::pg_catalog.int4 AS "pgduet_inserted") SELECT pg_catalog.count(*), (SELECT pg_catalog.sum("pgduet_inserted") FROM "pgduet_source") FROM "pgduet_source";

-- insert, missing=default
-- $1 = stars
-- $2 = title
-- $3 = [{"title":"A"}]
INSERT INTO "api"."notes" AS "notes"("stars", "title") SELECT CASE WHEN "pgduet_object"."value" OPERATOR(pg_catalog.?) $1 THEN "pgrst_body"."stars" ELSE CAST("pgduet_object"."default1" AS "pg_catalog"."int4") END, CASE WHEN "pgduet_object"."value" OPERATOR(pg_catalog.?) $2 THEN "pgrst_body"."title" ELSE CAST("pgduet_object"."default2" AS "pg_catalog"."text") END FROM (SELECT "value", 3 AS "default1", 'untitled'::text AS "default2" FROM pg_catalog.jsonb_array_elements($3::pg_catalog.jsonb) AS "pgduet_object"("value")) AS "pgduet_object" CROSS JOIN LATERAL pg_catalog.jsonb_to_record("pgduet_object"."value") AS "pgrst_body"("stars" "pg_catalog"."int4", "title" "pg_catalog"."text") RETURNING "notes"."title", "notes"."stars", (TRUE OR coalesce("notes"."title", NULL::pg_catalog.text) IS NULL OR coalesce("notes"."stars", 0.0) IS NULL) AS "pgduet_premise";

-- put
-- $1 = {"a":9,"b":"q"}
-- $2 = 9
-- $3 = q
INSERT INTO "api"."pairs" AS "pairs"("a", "b") SELECT "pgrst_body"."a", "pgrst_body"."b" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text") WHERE "pgrst_body"."a" = $2 AND "pgrst_body"."b" = $3 ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b" RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR ROW(NULL, NULL, NULL)::"api"."pairs" IS NULL OR coalesce("pairs"."a", 0.0) IS NULL OR coalesce("pairs"."b", NULL::pg_catalog.text) IS NULL OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise", ("xmax" OPERATOR(pg_catalog.=) 0)::pg_catalog.int4;

-- put again
-- $1 = {"a":9,"b":"q"}
-- $2 = 9
-- $3 = q
INSERT INTO "api"."pairs" AS "pairs"("a", "b") SELECT "pgrst_body"."a", "pgrst_body"."b" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text") WHERE "pgrst_body"."a" = $2 AND "pgrst_body"."b" = $3 ON CONFLICT ("a", "b") DO UPDATE SET "a" = EXCLUDED."a", "b" = EXCLUDED."b" RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR ROW(NULL, NULL, NULL)::"api"."pairs" IS NULL OR coalesce("pairs"."a", 0.0) IS NULL OR coalesce("pairs"."b", NULL::pg_catalog.text) IS NULL OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise", ("xmax" OPERATOR(pg_catalog.=) 0)::pg_catalog.int4;

-- update
-- $1 = {"note":"u"}
-- $2 = note
-- $3 = 9
WITH "pgduet_source" AS (UPDATE "api"."pairs" AS "pairs" SET "note" = CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."text") WHERE "pairs"."a" = $3 RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR ROW(NULL, NULL, NULL)::"api"."pairs" IS NULL OR coalesce("pairs"."a", 0.0) IS NULL OR coalesce("pairs"."b", NULL::pg_catalog.text) IS NULL OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "pairs"."a", "pairs"."b", "pairs"."note" FROM "pgduet_source" AS "pairs";

-- update, seen by nobody
-- $1 = {"note":"v"}
-- $2 = note
-- $3 = 9
UPDATE "api"."pairs" AS "pairs" SET "note" = CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."text") WHERE "pairs"."a" = $3;

-- update by columns
-- $1 = {"note":"n"}
-- $2 = note
-- $3 = 9
WITH "pgduet_source" AS (UPDATE "api"."pairs" AS "pairs" SET "note" = CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."text") WHERE "pairs"."a" = $3 RETURNING "pairs"."note", (TRUE OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "pairs"."note" FROM "pgduet_source" AS "pairs";

-- update of an array
-- $1 = {"tags":["z"]}
WITH "pgduet_source" AS (UPDATE "api"."notes" AS "notes" SET "tags" = "pgrst_body"."tags" FROM pg_catalog.json_to_recordset(pg_catalog.json_build_array($1::pg_catalog.json)) AS "pgrst_body"("tags" "pg_catalog"."_text") RETURNING "notes"."title", "notes"."tags", (TRUE OR coalesce("notes"."title", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "notes"."title", pg_catalog.to_json("notes"."tags") FROM "pgduet_source" AS "notes";

-- update of each
-- $1 = [{"a":7,"b":"x","note":"each"}]
WITH "pgduet_source" AS (UPDATE "api"."pairs" AS "pairs" SET "note" = "pgrst_body"."note" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("a" "pg_catalog"."int4", "b" "pg_catalog"."text", "note" "pg_catalog"."text") WHERE "pairs"."a" = "pgrst_body"."a" AND "pairs"."b" = "pgrst_body"."b" RETURNING "pairs"."note", (TRUE OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "pairs"."note" FROM "pgduet_source" AS "pairs";

-- insert, select=title,clients(name)
-- $1 = [{"title":"B","client_id":1},{"title":"C"}]
-- $2 = name
WITH "pgduet_source" AS (INSERT INTO "api"."notes" AS "notes"("client_id", "title") SELECT "pgrst_body"."client_id", "pgrst_body"."title" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS "pgrst_body"("client_id" "pg_catalog"."int4", "title" "pg_catalog"."text") RETURNING "notes"."title", "notes"."client_id", (TRUE OR coalesce("notes"."title", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "notes"."title", CASE WHEN "notes_clients_1"."pgduet_key1" IS NOT NULL THEN pg_catalog.json_build_object($2::pg_catalog.text, "notes_clients_1"."name") END FROM "pgduet_source" AS "notes" LEFT JOIN (SELECT "clients_1"."name" AS "name", "clients_1"."id" AS "pgduet_key1" FROM "api"."clients" AS "clients_1" WHERE ("clients_1"."id") IN (SELECT "client_id" FROM "pgduet_source")) AS "notes_clients_1" ON "notes_clients_1"."pgduet_key1" = "notes"."client_id";

-- update, select=id,projects(name,tasks(name))
-- $1 = {"name":"Acme"}
-- $2 = name
-- $3 = 1
-- $4 = name
-- $5 = tasks
WITH "pgduet_source" AS (UPDATE "api"."clients" AS "clients" SET "name" = CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."text") WHERE "clients"."id" = $3 RETURNING "clients"."id", (TRUE OR coalesce("clients"."id", 0.0) IS NULL) AS "pgduet_premise") SELECT "clients"."id", coalesce("clients_projects_1"."pgduet_rows", '[]') FROM "pgduet_source" AS "clients" LEFT JOIN (SELECT "clients_projects_1"."pgduet_key1", pg_catalog.json_agg(pg_catalog.json_build_object($4::pg_catalog.text, "clients_projects_1"."name", $5::pg_catalog.text, "clients_projects_1"."tasks")) AS "pgduet_rows" FROM (SELECT "projects_1"."name" AS "name", (SELECT coalesce(pg_catalog.json_agg("projects_tasks_2".*), '[]') FROM (SELECT "tasks_2"."name" AS "name" FROM "api"."tasks" AS "tasks_2" WHERE "tasks_2"."project_id" = "projects_1"."id") AS "projects_tasks_2") AS "tasks", "projects_1"."client_id" AS "pgduet_key1" FROM "api"."projects" AS "projects_1" WHERE ("projects_1"."client_id") IN (SELECT "id" FROM "pgduet_source")) AS "clients_projects_1" GROUP BY "clients_projects_1"."pgduet_key1") AS "clients_projects_1" ON "clients_projects_1"."pgduet_key1" = "clients"."id";

-- insert, select=name,projects(name)
-- $1 = {"id":77,"name":"New"}
-- $2 = id
-- $3 = name
-- $4 = name
WITH "pgduet_source" AS (INSERT INTO "api"."clients" AS "clients"("id", "name") VALUES (CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."int4"), CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $3::pg_catalog.text AS "pg_catalog"."text")) RETURNING "clients"."name", "clients"."id", (TRUE OR coalesce("clients"."name", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "clients"."name", coalesce("clients_projects_1"."pgduet_rows", '[]') FROM "pgduet_source" AS "clients" LEFT JOIN (SELECT "clients_projects_1"."pgduet_key1", pg_catalog.json_agg(pg_catalog.json_build_object($4::pg_catalog.text, "clients_projects_1"."name")) AS "pgduet_rows" FROM (SELECT "projects_1"."name" AS "name", "projects_1"."client_id" AS "pgduet_key1" FROM "api"."projects" AS "projects_1" WHERE ("projects_1"."client_id") IN (SELECT "id" FROM "pgduet_source")) AS "clients_projects_1" GROUP BY "clients_projects_1"."pgduet_key1") AS "clients_projects_1" ON "clients_projects_1"."pgduet_key1" = "clients"."id";

-- update, select=id,...projects(name)
-- $1 = {"name":"Acme"}
-- $2 = name
-- $3 = {"1","77"}
WITH "pgduet_source" AS (UPDATE "api"."clients" AS "clients" SET "name" = CAST($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text AS "pg_catalog"."text") WHERE "clients"."id" = ANY ($3) RETURNING "clients"."id", (TRUE OR coalesce("clients"."id", 0.0) IS NULL) AS "pgduet_premise") SELECT "clients"."id", coalesce("clients_projects_1"."names", '[]') FROM "pgduet_source" AS "clients" LEFT JOIN (SELECT "clients_projects_1"."pgduet_key1", pg_catalog.json_agg("clients_projects_1"."names") AS "names" FROM (SELECT "projects_1"."name" AS "names", "projects_1"."client_id" AS "pgduet_key1" FROM "api"."projects" AS "projects_1" WHERE ("projects_1"."client_id") IN (SELECT "id" FROM "pgduet_source") AND (TRUE OR EXISTS (VALUES ("projects_1"."name"), (NULL::pg_catalog.text)))) AS "clients_projects_1" GROUP BY "clients_projects_1"."pgduet_key1") AS "clients_projects_1" ON "clients_projects_1"."pgduet_key1" = "clients"."id";

-- update, select=name,...clients(client:name)
-- $1 = {"data":null}
-- $2 = data
-- $3 = data
-- $4 = 1
WITH "pgduet_source" AS (UPDATE "api"."projects" AS "projects" SET "data" = CASE WHEN ($1::pg_catalog.json OPERATOR(pg_catalog.->>) $2::pg_catalog.text) IS NOT NULL THEN CAST($1::pg_catalog.json OPERATOR(pg_catalog.->) $3::pg_catalog.text AS "pg_catalog"."jsonb") END WHERE "projects"."id" = $4 RETURNING "projects"."name", "projects"."client_id", (TRUE OR coalesce("projects"."name", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "projects"."name", "projects_clients_1"."client" FROM "pgduet_source" AS "projects" LEFT JOIN (SELECT "clients_1"."name" AS "client", "clients_1"."id" AS "pgduet_key1" FROM "api"."clients" AS "clients_1" WHERE ("clients_1"."id") IN (SELECT "client_id" FROM "pgduet_source") AND (TRUE OR EXISTS (VALUES ("clients_1"."name"), (NULL::pg_catalog.text)))) AS "projects_clients_1" ON "projects_clients_1"."pgduet_key1" = "projects"."client_id";

-- delete
-- $1 = 9
WITH "pgduet_source" AS (DELETE FROM "api"."pairs" AS "pairs" WHERE "pairs"."a" = $1 RETURNING "pairs"."a", "pairs"."b", "pairs"."note", (TRUE OR ROW(NULL, NULL, NULL)::"api"."pairs" IS NULL OR coalesce("pairs"."a", 0.0) IS NULL OR coalesce("pairs"."b", NULL::pg_catalog.text) IS NULL OR coalesce("pairs"."note", NULL::pg_catalog.text) IS NULL) AS "pgduet_premise") SELECT "pairs"."a", "pairs"."b", "pairs"."note" FROM "pgduet_source" AS "pairs";

-- projects?select=id,clients!inner(id,name)
-- $1 = id
-- $2 = name
SELECT "projects"."id", pg_catalog.json_build_object($1::pg_catalog.text, "projects_clients_1"."id", $2::pg_catalog.text, "projects_clients_1"."name") FROM "api"."projects" AS "projects" INNER JOIN LATERAL (SELECT "clients_1"."id" AS "id", "clients_1"."name" AS "name" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "projects"."client_id") AS "projects_clients_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("projects"."id"), (0.0)));

-- clients?select=id,projects!inner(id)
SELECT "clients"."id", (SELECT coalesce(pg_catalog.json_agg("clients_projects_1".*), '[]') FROM (SELECT "projects_1"."id" AS "id" FROM "api"."projects" AS "projects_1" WHERE "projects_1"."client_id" = "clients"."id") AS "clients_projects_1") FROM "api"."clients" AS "clients" WHERE EXISTS (SELECT FROM "api"."projects" AS "projects_1_any" WHERE "projects_1_any"."client_id" = "clients"."id") AND (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0)));

-- clients?order=id, without nulls
SELECT pg_catalog.json_strip_nulls(pg_catalog.row_to_json("row".*)) FROM (SELECT "clients"."id" AS "id", "clients"."name" AS "name", "clients"."odd ""name" AS "odd ""name" FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients".*), (0.0, NULL::pg_catalog.text, 0.0))) ORDER BY "clients"."id" OFFSET 0) AS "row";
