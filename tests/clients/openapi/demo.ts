// The demo with the types that openapi-typescript makes and openapi-fetch: arguments are the server's address and a token.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [address, token] = process.argv.slice(2);
const api = createClient<paths, "application/json">({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });
const rows = { Prefer: "return=representation" };
type Insert = components["schemas"]["BookInsert"];

const book = (title: string): Insert => ({ title, author_id: 1, genre: "novel", published: 1814 });
const one = await api.POST("/books", { params: { header: rows }, body: book("Zebra one") });
const two = await api.POST("/books", { params: { header: rows }, body: [book("Zebra two"), book("Zebra three")] });
const id = one.data![0].id!;
const silent = await api.POST("/loans", { body: { book_id: id } });
const listed = await api.GET("/books", {
  params: { query: { title: "like.Zebra*", select: "title,authors(name)", order: "title" } },
});
const updated = await api.PATCH("/books", {
  params: { query: { id: `eq.${id}` }, header: rows },
  body: { pages: null, tags: ["striped"] },
});
const found = await api.POST("/rpc/search_books", { body: { query: "zebra" } });
const got = await api.GET("/rpc/search_books", { params: { query: { query: "zebra", limit: 1 } } });
await api.DELETE("/loans", { params: { query: { book_id: `eq.${id}` } } });
const deleted = await api.DELETE("/books", { params: { query: { title: "like.Zebra*" }, header: rows } });
const refused = await api.GET("/books", { params: { query: { id: "eq.one" } } });

// @ts-expect-error a column that is required is missing
const incomplete: Insert = { title: "x" };
// @ts-expect-error there is no such column
const unknown: Insert = { ...book("x"), colour: "red" };
// @ts-expect-error there is no such label
const mislabelled: Insert = { ...book("x"), genre: "western" };
// @ts-expect-error it cannot be null
const nothing: Insert = { ...book("x"), title: null };
void [incomplete, unknown, mislabelled, nothing];

console.log(JSON.stringify({
  created: [...one.data!, ...two.data!].map((book) => book.title),
  silent: silent.response.status,
  listed: listed.data!.map((book) => [book.title, book.authors?.name]),
  updated: updated.data![0].tags,
  found: found.data!.length,
  got: got.data!.length,
  deleted: deleted.data!.length,
  refused: refused.error!.code,
}));
