// The awkward schema with the types that openapi-typescript makes and openapi-fetch: arguments are the server's address and
// a token.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [address, token] = process.argv.slice(2);
const api = createClient<paths, "application/json">({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });
const rows = { Prefer: "return=representation" };

const created = await api.POST("/people", { params: { header: rows }, body: { id: 50, name: "Zoe", boss: 1 } });
const listed = await api.GET("/people", { params: { query: { name: "eq.Zoe", select: "id,name,initials" } } });
const updated = await api.PATCH("/people", { params: { query: { id: "eq.50" }, header: rows }, body: { name: "Zoë" } });
const deleted = await api.DELETE("/people", { params: { query: { id: "eq.50" }, header: rows } });
const odd = await api.POST("/reserved", { params: { header: rows }, body: { order: "first", limit: 3, constructor: null } });
const everything = await api.GET("/everything");
const added = await api.POST("/rpc/add", { body: { a: 40, b: 2 } });
const summed = await api.GET("/rpc/variadic_sum", { params: { query: { list: [1, 2, 3] } } });
// @ts-expect-error the role may not write this column
const hidden: components["schemas"]["PartlyRowInsert"] = { hidden: "no" };
void hidden;

console.log(JSON.stringify({
  created: created.data![0].name,
  listed: listed.data![0].name,
  updated: updated.data![0].name,
  deleted: deleted.data!.length,
  odd: odd.data![0].order,
  whole: everything.data![0].whole,
  list: everything.data![0].list,
  added: added.data,
  summed: summed.data,
}));
