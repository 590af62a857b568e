// make-profiles.mjs BASE FOLDER: adds the calls of system-calls.txt to a runtime's default profile
// (containers-common's or Docker's JSON) and writes FOLDER/seccomp-NAME.json for each name of the list.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [base, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: make-profiles.mjs BASE FOLDER");
  process.exit(2);
}

const list = join(dirname(fileURLToPath(import.meta.url)), "system-calls.txt");
const calls = new Map();
for (const line of readFileSync(list, "utf8").split("\n")) {
  const [call, ...profiles] = line.trim().split(/\s+/);
  if (!call || call.startsWith("#")) continue;
  for (const profile of profiles) calls.set(profile, [...(calls.get(profile) ?? []), call]);
}

for (const [name, added] of calls) {
  const profile = JSON.parse(readFileSync(base, "utf8"));
  // A rule that answers with an error would come first: what is permitted leaves every other rule.
  for (const rule of profile.syscalls) rule.names = rule.names.filter((call) => !added.includes(call));
  profile.syscalls = profile.syscalls.filter((rule) => rule.names.length > 0);
  profile.syscalls.push({ names: added, action: "SCMP_ACT_ALLOW", comment: "builds sandboxes" });
  writeFileSync(join(folder, `seccomp-${name}.json`), `${JSON.stringify(profile, null, 2)}\n`);
}
