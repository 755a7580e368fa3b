-- clients?id=eq.1
-- $1 = 1
SELECT "clients"."id", "clients"."name", "clients"."odd ""name" FROM "api"."clients" AS "clients" WHERE "clients"."id" = $1 AND (TRUE OR EXISTS (VALUES ("clients".*), (0.0, NULL::pg_catalog.text, 0.0)));

-- clients?select=id,n:name::text,loud&order=loud.desc.nullslast,id&limit=2&offset=1
-- $1 = 2
-- $2 = 1
SELECT "clients"."id", pg_catalog.to_json(CAST("clients"."name" AS "text")), "clients"."loud" FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients"."id", "clients"."loud"), (0.0, NULL::pg_catalog.text))) ORDER BY "clients"."loud" DESC NULLS LAST, "clients"."id" LIMIT $1 OFFSET $2;

-- types?select=u,ts,m,c,j,arr,col&col=in.(#ff)&ts_vector=fts(english).cat&b=not.is.true
-- $1 = {"#ff"}
-- $2 = english
-- $3 = cat
SELECT "types"."u", pg_catalog.to_json("types"."ts"), pg_catalog.to_json("types"."m"), pg_catalog.to_json("types"."c"), "types"."j", pg_catalog.to_json("types"."arr"), "api"."json"("types"."col") FROM "api"."types" AS "types" WHERE "types"."col" = ANY (SELECT "api"."colour"(pg_catalog.unnest($1::pg_catalog.text[]))) AND "types"."ts_vector" @@ pg_catalog.to_tsquery($2::pg_catalog.regconfig, $3) AND NOT "types"."b" IS TRUE AND (TRUE OR EXISTS (VALUES ("types"."u", "types"."j"), (NULL::pg_catalog.uuid, NULL::pg_catalog.json)));

-- projects?select=data->a->>b&data->a->0=eq.1&name=like(any).{A*,B*}&or=(id.eq.1,not.and(id.gt.2,name.is.null))
-- $1 = a
-- $2 = b
-- $3 = 1
-- $4 = 2
-- $5 = a
-- $6 = 0
-- $7 = 1
-- $8 = {A%,B%}
SELECT "projects"."data" OPERATOR(pg_catalog.->) $1::pg_catalog.text OPERATOR(pg_catalog.->>) $2::pg_catalog.text FROM "api"."projects" AS "projects" WHERE ("projects"."id" = $3 OR NOT ("projects"."id" > $4 AND "projects"."name" IS NULL)) AND "projects"."data" OPERATOR(pg_catalog.->) $5::pg_catalog.text OPERATOR(pg_catalog.->) $6::pg_catalog.int4 = $7 AND "projects"."name" LIKE ANY ($8);

-- projects?select=id,clients(name)&order=clients(name)
SELECT "projects"."id", pg_catalog.row_to_json("projects_clients_1".*) FROM "api"."projects" AS "projects" LEFT JOIN LATERAL (SELECT "clients_1"."name" AS "name" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "projects"."client_id") AS "projects_clients_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("projects"."id"), (0.0))) ORDER BY "projects_clients_1"."name";

-- clients?select=id,projects(id,tasks(name))&projects.order=id&projects.limit=2&projects.tasks.name=neq.x
-- $1 = x
-- $2 = 2
SELECT "clients"."id", (SELECT coalesce(pg_catalog.json_agg("clients_projects_1".*), '[]') FROM (SELECT "projects_1"."id" AS "id", (SELECT coalesce(pg_catalog.json_agg("projects_tasks_2".*), '[]') FROM (SELECT "tasks_2"."name" AS "name" FROM "api"."tasks" AS "tasks_2" WHERE "tasks_2"."project_id" = "projects_1"."id" AND "tasks_2"."name" <> $1) AS "projects_tasks_2") AS "tasks" FROM "api"."projects" AS "projects_1" WHERE "projects_1"."client_id" = "clients"."id" ORDER BY "projects_1"."id" LIMIT $2) AS "clients_projects_1") FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0)));

-- clients?select=id,projects!inner(id)&projects.name=eq.Beta
-- $1 = Beta
-- $2 = Beta
SELECT "clients"."id", (SELECT coalesce(pg_catalog.json_agg("clients_projects_1".*), '[]') FROM (SELECT "projects_1"."id" AS "id" FROM "api"."projects" AS "projects_1" WHERE "projects_1"."client_id" = "clients"."id" AND "projects_1"."name" = $1) AS "clients_projects_1") FROM "api"."clients" AS "clients" WHERE EXISTS (SELECT FROM "api"."projects" AS "projects_1_any" WHERE "projects_1_any"."client_id" = "clients"."id" AND "projects_1_any"."name" = $2) AND (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0)));

-- projects?select=id,clients!inner(id)
SELECT "projects"."id", pg_catalog.row_to_json("projects_clients_1".*) FROM "api"."projects" AS "projects" INNER JOIN LATERAL (SELECT "clients_1"."id" AS "id" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "projects"."client_id") AS "projects_clients_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("projects"."id"), (0.0)));

-- users?select=name,tasks(name)
SELECT "users"."name", (SELECT coalesce(pg_catalog.json_agg("users_tasks_1".*), '[]') FROM (SELECT "tasks"."name" AS "name" FROM "api"."tasks" AS "tasks", "api"."users_tasks" AS "users_tasks_junction_1" WHERE "users_tasks_junction_1"."user_id" = "users"."id" AND "tasks"."id" = "users_tasks_junction_1"."task_id") AS "users_tasks_1") FROM "api"."users" AS "users" WHERE (TRUE OR EXISTS (VALUES ("users"."name"), (NULL::pg_catalog.text)));

-- people?select=name,boss(name),people(name)
SELECT "people"."name", pg_catalog.row_to_json("people_boss_1".*), (SELECT coalesce(pg_catalog.json_agg("people_people_1".*), '[]') FROM (SELECT "people_1"."name" AS "name" FROM "api"."people" AS "people_1" WHERE "people_1"."boss" = "people"."id") AS "people_people_1") FROM "api"."people" AS "people" LEFT JOIN LATERAL (SELECT "people_1"."name" AS "name" FROM "api"."people" AS "people_1" WHERE "people_1"."id" = "people"."boss") AS "people_boss_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("people"."name"), (NULL::pg_catalog.text)));

-- clients?select=id,first_project(id)
SELECT "clients"."id", pg_catalog.row_to_json("clients_first_project_1".*) FROM "api"."clients" AS "clients" LEFT JOIN LATERAL (SELECT "projects_1"."id" AS "id" FROM "api"."first_project"(("clients".*)::"api"."clients") AS "projects_1") AS "clients_first_project_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0)));

-- clients?select=id,projects()&projects=is.null
SELECT "clients"."id" FROM "api"."clients" AS "clients" WHERE NOT EXISTS (SELECT FROM "api"."projects" AS "projects_1" WHERE "projects_1"."client_id" = "clients"."id") AND (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0)));

-- projects?select=id,...clients(name)
SELECT "projects"."id", "projects_clients_1"."name" FROM "api"."projects" AS "projects" LEFT JOIN LATERAL (SELECT "clients_1"."name" AS "name" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "projects"."client_id" AND (TRUE OR EXISTS (VALUES ("clients_1"."name"), (NULL::pg_catalog.text)))) AS "projects_clients_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("projects"."id"), (0.0)));

-- clients?select=id,...projects(name)
SELECT "clients"."id", "clients_projects_1"."name" FROM "api"."clients" AS "clients" LEFT JOIN LATERAL (SELECT coalesce(pg_catalog.json_agg("clients_projects_1"."name"), '[]') AS "name" FROM (SELECT "projects_1"."name" AS "name" FROM "api"."projects" AS "projects_1" WHERE "projects_1"."client_id" = "clients"."id" AND (TRUE OR EXISTS (VALUES ("projects_1"."name"), (NULL::pg_catalog.text)))) AS "clients_projects_1") AS "clients_projects_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0)));

-- projects?select=client_id,count(),...clients(id.max())
SELECT "group"."c0", "group"."c1", pg_catalog.to_json("group"."c2") FROM (SELECT "projects"."client_id" AS "client_id", pg_catalog.count(*) AS "count", max("projects_clients_1"."max") AS "max" FROM "api"."projects" AS "projects" LEFT JOIN LATERAL (SELECT "clients_1"."id" AS "max" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "projects"."client_id") AS "projects_clients_1" ON TRUE WHERE (TRUE OR EXISTS (VALUES ("projects"."client_id"), (0.0))) GROUP BY "projects"."client_id") AS "group"("c0", "c1", "c2");

-- clients?select=id&limit=2, counted
-- $1 = 2
SELECT "page".*, "count"."total" FROM (SELECT pg_catalog.count(*) AS "total" FROM "api"."clients" AS "clients") AS "count" LEFT JOIN (SELECT "clients"."id", TRUE AS "present" FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0))) LIMIT $1) AS "page" ON TRUE;

-- clients?select=id&limit=2, HEAD, counted
-- $1 = 2
SELECT "page".*, "count"."total" FROM (SELECT pg_catalog.count(*) AS "total" FROM "api"."clients" AS "clients") AS "count" LEFT JOIN (SELECT pg_catalog.count("row".*), TRUE AS "present" FROM (SELECT "clients"."id" AS "id" FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0))) LIMIT $1) AS "row") AS "page" ON TRUE;

-- clients?select=id&limit=2, as CSV
-- $1 = 2
SELECT pg_catalog.substr(pg_catalog.left(("row".*)::pg_catalog.text, -1), 2) FROM (SELECT "clients"."id" AS "id" FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0))) LIMIT $1) AS "row";

-- clients?select=id&limit=2, without nulls
-- $1 = 2
SELECT pg_catalog.json_strip_nulls(pg_catalog.row_to_json("row".*)) FROM (SELECT "clients"."id" AS "id" FROM "api"."clients" AS "clients" WHERE (TRUE OR EXISTS (VALUES ("clients"."id"), (0.0))) LIMIT $1) AS "row";

-- clients?id=eq.1, as one object
-- $1 = 1
SELECT "clients"."id", "clients"."name", "clients"."odd ""name" FROM "api"."clients" AS "clients" WHERE "clients"."id" = $1 AND (TRUE OR EXISTS (VALUES ("clients".*), (0.0, NULL::pg_catalog.text, 0.0)));

-- clients?limit=2, by a handler
-- $1 = 2
SELECT "api"."as_names"(("row".*)::"api"."clients"), pg_catalog.count(*) FROM (SELECT "clients".* FROM "api"."clients" AS "clients" LIMIT $1) AS "row";

-- projects?select=id,data,clients(id),tasks(name), as columns
SELECT "projects"."id" AS "id", ("projects"."data")::pg_catalog.text AS "data", coalesce("projects_clients_1".*) AS "clients", (SELECT pg_catalog.array_agg("projects_tasks_1".*) FROM (SELECT ("tasks_1"."name")::pg_catalog.text AS "name" FROM "api"."tasks" AS "tasks_1" WHERE "tasks_1"."project_id" = "projects"."id") AS "projects_tasks_1") AS "tasks" FROM "api"."projects" AS "projects" LEFT JOIN LATERAL (SELECT "clients_1"."id" AS "id" FROM "api"."clients" AS "clients_1" WHERE "clients_1"."id" = "projects"."client_id") AS "projects_clients_1" ON TRUE;
