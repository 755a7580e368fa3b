// Validates documents with swagger-parser: arguments are their files.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { default: parser = require("@apidevtools/swagger-parser") } = require("@apidevtools/swagger-parser");
for (const file of process.argv.slice(2)) await parser.validate(file);
