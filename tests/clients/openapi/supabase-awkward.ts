// The awkward schema with supabase-js and the types that pgduet prints: arguments are the server's address and a token.
import { createClient } from "@supabase/supabase-js";
import type { CompositeTypes, Database, Enums, Tables } from "./database.js";

const [address, token] = process.argv.slice(2);
const db = createClient<Database>(address, token, {
  db: { schema: "api" },
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

same<Enums<"mood">, "happy" | "so, so" | "\"sad\"" | "" | "ünhappy" | "null" | "100%">(true);
const people = must(await db.from("people").select("name, initials, passports(number), newest(id)").order("id"));
same<(typeof people)[number]["name"], string>(true);
same<(typeof people)[number]["initials"], string | null>(true);
same<(typeof people)[number]["passports"], { number: string } | null>(true);
const plain = must(await db.from("people").select("*").eq("id", 1).single());
same<typeof plain, { id: number; name: string; boss: number | null }>(true);
const letters = must(await db.from("letters").select("id, from:people!letters_sender_fkey(name)").eq("id", 1).single());
same<typeof letters, { id: number; from: { name: string } | null }>(true);
const teams = must(await db.from("members").select("since, teams(title)").single());
same<typeof teams, { since: string; teams: { title: string | null } }>(true);
const view = must(await db.from("joined_view").select("name, number").eq("id", 1).single());
same<typeof view, { name: string | null; number: string | null }>(true);
const everything = must(await db.from("everything").select("exact, mood, moods, position, mail, raw, docs").single());
same<(typeof everything)["position"], CompositeTypes<"point3"> | null>(true);
same<(typeof everything)["exact"], number | null>(true);
const odd: Tables<"Odd \" Nämes/%~{x}">["Größe %"] = 1;
const sum = must(await db.rpc("add", { a: 40, b: 2 }));
same<typeof sum, number>(true);
const listed = must(await db.rpc("list_people", {}).select("name").order("name"));
same<(typeof listed)[number], { name: string }>(true);

const wrong = async () => {
  // @ts-expect-error it is generated
  await db.from("everything").insert({ id: 1 });
  // @ts-expect-error a view of several tables takes no rows
  await db.from("joined_view").insert({ name: "x" });
  // @ts-expect-error the argument is a number
  await db.rpc("add", { a: "x" });
};
void wrong;

console.log(JSON.stringify({
  names: people.map(({ name, initials, passports, newest }) => [name, initials, passports, newest]),
  boss: plain.boss, from: letters.from, team: teams.teams.title, number: view.number, mood: everything.mood, odd, sum,
  listed: listed.length,
}));
