-- add(a)
-- $1 = 1
SELECT "add"."pgrst_scalar" FROM (SELECT "api"."add"("a" := $1::"pg_catalog"."int4") AS "pgrst_scalar") AS "add" WHERE (TRUE OR EXISTS (VALUES ("add"."pgrst_scalar"), (0.0)));

-- add(a, b), by POST
-- $1 = {"a":1,"b":7}
SELECT "add"."pgrst_scalar" FROM pg_catalog.json_to_record($1::pg_catalog.json) AS "pgduet_arguments"("a" "pg_catalog"."int4", "b" "pg_catalog"."int4") CROSS JOIN LATERAL (SELECT "api"."add"("a" := "pgduet_arguments"."a", "b" := "pgduet_arguments"."b") AS "pgrst_scalar") AS "add" WHERE (TRUE OR EXISTS (VALUES ("add"."pgrst_scalar"), (0.0)));

-- words(VARIADIC words)
-- $1 = {"a","b"}
SELECT "words"."pgrst_scalar" FROM (SELECT "api"."words"(VARIADIC "words" := $1::"pg_catalog"."_text") AS "pgrst_scalar") AS "words" WHERE (TRUE OR EXISTS (VALUES ("words"."pgrst_scalar"), (NULL::pg_catalog.text)));

-- numbers(n), limit=2
-- $1 = 3
-- $2 = 2
SELECT "numbers"."pgrst_scalar" FROM (SELECT "api"."numbers"("n" := $1::"pg_catalog"."int4") AS "pgrst_scalar") AS "numbers" WHERE (TRUE OR EXISTS (VALUES ("numbers"."pgrst_scalar"), (0.0))) LIMIT $2;

-- nothing()
SELECT pg_catalog.to_json("nothing"."pgrst_scalar") FROM (SELECT "api"."nothing"() AS "pgrst_scalar") AS "nothing";

-- take(json)
-- $1 = {"x":1}
SELECT "take"."pgrst_scalar" FROM (SELECT "api"."take"($1::"pg_catalog"."json") AS "pgrst_scalar") AS "take" WHERE (TRUE OR EXISTS (VALUES ("take"."pgrst_scalar"), (NULL::pg_catalog.json)));

-- outs(a)
-- $1 = 1
SELECT "record"."a", "record"."b" FROM "api"."outs"("a" := $1::"pg_catalog"."int4") AS "record" WHERE (TRUE OR EXISTS (VALUES ("record".*), (0.0, NULL::pg_catalog.text)));

-- some_clients(), id=gt.1, select=name,projects(id)
-- $1 = 1
SELECT "clients"."name", (SELECT coalesce(pg_catalog.json_agg("clients_projects_1".*), '[]') FROM (SELECT "projects_1"."id" AS "id" FROM "api"."projects" AS "projects_1" WHERE "projects_1"."client_id" = "clients"."id") AS "clients_projects_1") FROM "api"."some_clients"() AS "clients" WHERE "clients"."id" > $1 AND (TRUE OR EXISTS (SELECT FROM "api"."clients") OR EXISTS (VALUES ("clients"."name"), (NULL::pg_catalog.text)));

-- some_clients(), select=name,first_project(id), limit=1, counted
-- $1 = 1
WITH "pgduet_source" AS (SELECT "clients"."name", coalesce("clients".*) AS "pgduet_row", (TRUE OR EXISTS (SELECT FROM "api"."clients") OR EXISTS (VALUES ("clients"."name"), (NULL::pg_catalog.text))) AS "pgduet_premise" FROM "api"."some_clients"() AS "clients") SELECT "page".*, "count"."total" FROM (SELECT pg_catalog.count(*) AS "total" FROM "pgduet_source" AS "clients") AS "count" LEFT JOIN (SELECT "clients"."name", pg_catalog.row_to_json("clients_first_project_1".*), TRUE AS "present" FROM "pgduet_source" AS "clients" LEFT JOIN LATERAL (SELECT "projects_1"."id" AS "id" FROM "api"."first_project"("clients"."pgduet_row") AS "projects_1") AS "clients_first_project_1" ON TRUE LIMIT $1) AS "page" ON TRUE;
