// node fetch_closure.mjs DIRECTORY [PACKAGE...]
// Fetches a real closure with npm and packs it as a core would, for the test of SATELLITE_CLOSURE:
//
//     node tests/end_to_end/fetch_closure.mjs /tmp/closure
//     SATELLITE_CLOSURE=/tmp/closure build/dev/bin/package_runtime_tests "a real closure*"
//
// `./dev test` does so once where npm is, in build/closure. Nothing of it belongs into this repository.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const [directory, ...wanted] = process.argv.slice(2);
const roots = wanted.length ? wanted : [
  "express@4", "axios@1", "got@11", "lodash@4", "chalk@4", "eslint@8", "jest@29", "webpack@5", "yargs@17",
];
const install = path.join(directory, "install");
const blobs = path.join(directory, "blobs");
for (const made of [install, blobs]) fs.mkdirSync(made, { recursive: true });
fs.writeFileSync(path.join(install, "package.json"), '{"private":true}');
execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...roots],
  { cwd: install, stdio: "inherit" });

const lock = JSON.parse(fs.readFileSync(path.join(install, "package-lock.json"), "utf8"));
const entries = new Map();
for (const [place, about] of Object.entries(lock.packages)) {
  // What npm left out on this platform, or ships within another package, no core lists either.
  if (!place || !about.integrity || about.inBundle) continue;
  const from = path.join(install, place);
  if (!fs.existsSync(from)) continue;
  const name = about.name ?? place.slice(place.lastIndexOf("node_modules/") + 13);
  const id = `${name}@${about.version}`;
  if (entries.has(id)) continue;
  const top = `${name.split("/").pop()}@${about.version}@@@1`;
  const blob = execFileSync("tar", ["-C", path.dirname(from), "--format=pax", "--owner=0", "--group=0",
    "--pax-option=delete=mtime,delete=atime,delete=ctime", "--exclude", `${path.basename(from)}/node_modules`,
    "--transform", `s,^${path.basename(from)},${top},`, "-czf", "-", path.basename(from)],
    { maxBuffer: 1 << 28 });
  const sha256 = createHash("sha256").update(blob).digest("hex");
  fs.writeFileSync(path.join(blobs, sha256), blob);
  entries.set(id, { name, version: about.version, integrity: about.integrity, blobSha256: sha256 });
}
// Which version npm itself gives to whom: from where a package lies, upwards.
const edges = {};
for (const [place, about] of Object.entries(lock.packages)) {
  if (!place || !about.integrity || about.inBundle || !fs.existsSync(path.join(install, place))) continue;
  const id = `${about.name ?? place.slice(place.lastIndexOf("node_modules/") + 13)}@${about.version}`;
  for (const need of Object.keys({ ...about.dependencies, ...about.optionalDependencies })) {
    for (let from = place; ; ) {
      const at = `${from}${from && "/"}node_modules/${need}`, found = lock.packages[at];
      if (found?.version) {
        // The same package may lie in two places and see two versions.
        const seen = (edges[`${id} ${need}`] ??= []), isThere = fs.existsSync(path.join(install, at));
        if (isThere && !found.inBundle && !seen.includes(found.version)) seen.push(found.version);
        break;
      }
      if (!from) break;
      from = from.slice(0, Math.max(from.lastIndexOf("/node_modules/"), 0)) ||
        (from.startsWith("node_modules/") ? "" : from);
    }
  }
}
const order = (a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version);
const sorted = [...entries.values()].sort(order);
const lines = sorted.map(e => `${e.name} ${e.version} ${e.integrity}\n`).join("");
fs.writeFileSync(path.join(directory, "closure.json"), JSON.stringify({
  lockfileHash: createHash("sha256").update(lines).digest("hex"),
  roots: roots.map(root => root.slice(0, root.indexOf("@", 1))),
  entries: sorted,
  edges,
}));
console.log(`${sorted.length} packages, ${new Set(sorted.map(e => e.name)).size} names, ${Object.keys(edges).length} edges`);
