// Writes each object of the manifests as a TypeScript literal of its kind's type.
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";

const lines = [];
let count = 0;
for (const folder of process.argv.slice(2)) {
  for (const file of readdirSync(resolve(folder)).filter((name) => name.endsWith(".yaml")).sort()) {
    for (const document of parseAllDocuments(readFileSync(join(folder, file), "utf8"))) {
      if (document.errors.length > 0) throw document.errors[0];
      const object = document.toJS();
      const module = object.apiVersion;
      const type = `I${object.kind}`;
      lines.push(`// ${file}`, `import type { ${type} as T${count} } from "kubernetes-models/${module}";`);
      lines.push(`export const o${count}: T${count} = ${JSON.stringify(object)};`);
      count += 1;
    }
  }
}
console.log(lines.join("\n"));
