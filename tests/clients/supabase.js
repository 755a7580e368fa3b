// Supabase's own client, as its users write it. Prints what it saw as JSON.
const { createClient } = require("@supabase/supabase-js");

const [url, key] = process.argv.slice(2);
// What it has besides REST needs servers that are not here.
const client = createClient(url, key, {
  auth: { persistSession: false, autoRefreshToken: false },
  realtime: { transport: class {} },
});

(async () => {
  const made = await client.from("items").insert({ id: 2, name: "two" }).select();
  const read = await client.from("items").select("id,name").order("id");
  const one = await client.from("items").select("name").eq("id", 2).single();
  const counted = await client.from("items").select("*", { count: "exact", head: true });
  const called = await client.rpc("add", { a: 1, b: 2 });
  const missing = await client.from("nope").select();
  console.log(
    JSON.stringify({
      made: made.data,
      read: read.data,
      one: one.data,
      count: counted.count,
      called: called.data,
      missing: missing.error.code,
      errors: [made, read, one, counted, called].map((answer) => answer.error),
    }),
  );
  process.exit(0);
})();
