// Supabase's own client as a signed-in user has it: the key of the project in `apikey`, the user's token in `Authorization`.
// Prints who it was taken for, with the user's token and with the key alone.
const { createClient } = require("@supabase/supabase-js");

const [url, key, token] = process.argv.slice(2);
const options = { db: { schema: "api" }, realtime: { transport: class {} } };
// Without a token of its own it sends the key in both places; the fetch leaves one of them.
const bare = (input, init) => {
  const headers = new Headers(init.headers);
  headers.delete("Authorization");
  return fetch(input, { ...init, headers });
};

(async () => {
  const user = createClient(url, key, { ...options, accessToken: async () => token });
  const keyed = createClient(url, key, { ...options, auth: { persistSession: false }, global: { fetch: bare } });
  const seen = [];
  for (const client of [user, keyed]) {
    const { data, error } = await client.from("callers").select();
    seen.push(error ?? data);
  }
  console.log(JSON.stringify(seen));
  process.exit(0);
})();
