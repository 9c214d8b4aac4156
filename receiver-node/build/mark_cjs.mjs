// Marks dist/cjs as CommonJS, which Node would otherwise read as modules because the package says so.
import { writeFileSync } from "node:fs";

writeFileSync(new URL("../dist/cjs/package.json", import.meta.url), '{ "type": "commonjs" }\n');
