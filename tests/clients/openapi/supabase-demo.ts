// The demo with supabase-js and the types that pgduet prints: arguments are the server's address and a token.
import { createClient } from "@supabase/supabase-js";
import type { Database, Enums, Tables, TablesInsert } from "./database.js";

const [address, token] = process.argv.slice(2);
const db = createClient<Database>(address, token, {
  db: { schema: "api" },
  // Supabase serves the API below this path.
  global: { fetch: (input, init) => fetch(String(input).replace("/rest/v1", ""), init) },
  // Node.js 20 has no WebSocket, and nothing here needs one.
  realtime: { transport: class {} as never },
});
const must = <T>({ data, error }: { data: T; error: unknown }): NonNullable<T> => {
  if (error || data === null) throw new Error(JSON.stringify(error));
  return data as NonNullable<T>;
};
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

const embedded = must(await db.from("books").select("title, author:authors(name)").eq("title", "Emma"));
same<(typeof embedded)[number], { title: string; author: { name: string } }>(true);
const many = must(await db.from("authors").select("name, books(title, genre)").eq("name", "Jane Austen").single());
same<(typeof many)["books"][number], { title: string; genre: Enums<"genre"> }>(true);
const all = must(await db.from("available_books").select("*").eq("title", "Emma"));
same<(typeof all)[number], Tables<"available_books">>(true);
const author: string | null = all[0].author;

const book: TablesInsert<"books"> = { title: "Zebra one", author_id: 1, genre: "novel", published: 1814 };
const inserted = must(await db.from("books").insert(book).select("id, title, pages").single());
same<typeof inserted, { id: number; title: string; pages: number | null }>(true);
const updated = must(await db.from("books").update({ pages: 3 }).eq("id", inserted.id).select("pages"));
const found = must(await db.rpc("search_books", { query: "zebra" }).select("title"));
same<(typeof found)[number], { title: string }>(true);
const deleted = must(await db.from("books").delete().eq("id", inserted.id).select());

// What follows is compiled and not run.
const wrong = async () => {
  const missing = await db.from("books").select("colour");
  // @ts-expect-error there is no such column
  missing.data![0].colour;
  const elsewhere = await db.from("books").select("title, author:authors(nickname)");
  // @ts-expect-error the embedded relation has no such column
  elsewhere.data![0].author.nickname;
  // @ts-expect-error there is no such relation
  await db.from("boks").select();
  // @ts-expect-error there is no such column to filter by
  await db.from("books").select("title").eq("colour", "red");
  // @ts-expect-error there is no such label
  await db.from("books").update({ genre: "western" });
  // @ts-expect-error columns that are needed are missing
  await db.from("books").insert({ title: "x" });
  // @ts-expect-error the argument is a text
  await db.rpc("search_books", { query: 1 });
};
void wrong;

console.log(JSON.stringify({
  embedded, many: many.books.length, author, inserted: inserted.title, updated, found, deleted: deleted.length,
}));
