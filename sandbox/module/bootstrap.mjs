// What the runtime of a module run executes: reads the task from descriptor 3, runs the script, and
// writes "R" and then one line of JSON to descriptor 4. The same text for bun and node.
//
// Everything that a script could replace is taken before its first instruction. Under bun nothing is
// imported: node:fs alone doubles the time of a start. node runs this text as CommonJS: to import
// node:fs would load all of it, and the loader of modules, which the script needs, is started once then.
const isBun = typeof Bun !== "undefined";
const proc = process, { parse, stringify } = JSON, text = String, { isArray } = Array, { every } = Array.prototype;
const define = Object.defineProperty, apply = Reflect.apply;
const env = proc.env;
let readTask, place, tell, createRequire, loaded;
if (isBun) {
  const { file, write } = Bun, answer = file(4), task = file(3);
  readTask = () => task.text();
  place = (path, source) => write(path, source);
  tell = line => write(answer, line);
} else {
  const { fstatSync, readFileSync, writeFileSync, writeSync } = require("node:fs");
  const { from } = Buffer, load = require;
  createRequire = file => load("node:module").createRequire(file);
  proc.mainModule = undefined;  // this text is none that a script knows
  readTask = () => readFileSync(3, "utf8");
  place = writeFileSync;
  tell = line => {
    const bytes = from(line);
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(4, bytes, at);
      } catch (e) {
        if (e.code !== "EAGAIN") return;
      }
    }
  };
  // A run that waits for its task has the time to load what nearly every script needs: a module of a
  // file halves the time that the script's own takes. Where no root shows one, text has to do.
  if (fstatSync(3).isFIFO()) {
    void proc.stdout, proc.stderr;
    loaded = import(__filename[0] === "/" ? "./integration.mjs" : "data:text/javascript,export default 1").catch(() => {});
  }
}

// An error that nobody awaits is told and does not end the run: its result counts.
const { error } = console;
const told = e => {
  try {
    error(e);
  } catch {}
};
proc.on("uncaughtException", told).on("unhandledRejection", told);

let begun = false, answered = false;
const answer = line => {
  answered = true;
  return tell(line + "\n");
};

// bun hands its children the environment that it was started with, unless it is told otherwise.
function handOverEnvironment() {
  for (const name of ["spawn", "spawnSync"]) {
    const original = Bun[name];
    Bun[name] = (what, options) =>
      what !== null && typeof what === "object" && !isArray(what)
        ? original({ ...what, env: what.env ?? env })
        : original(what, { ...options, env: options?.env ?? env });
  }
}

function setGlobals(task) {
  const shown = { writable: true, configurable: true, enumerable: true };
  define(globalThis, "context", { ...shown, value: task.context });
  if (task.helper) define(globalThis, task.helper, { ...shown, value: value => value });
  if (isBun) return;
  let made;
  define(globalThis, "require", {
    configurable: true,
    get: () => (made ??= createRequire(task.folder + "/user.mjs")),
    set: value => {
      made = value;
    },
  });
}

// bun collects what it cannot parse in messages that name the file; node throws a SyntaxError of which
// no line stands in the file.
const isParseFailure = (e, path) =>
  isBun
    ? apply(every, isArray(e?.errors) ? e.errors : [e], [x => x?.name === "BuildMessage" && x.position?.file === path])
    : e instanceof SyntaxError && !text(e.stack).includes(path + ":") || isWholeFileError(e, path);
// node puts the place of a syntax error in front of the message: path, line, source, marker.
const isWholeFileError = (e, path) =>
  e instanceof SyntaxError && text(e.stack).startsWith("file://" + encodeURI(path) + ":");

// JavaScript first, types only where it does not parse: nothing runs twice, and what is valid
// JavaScript keeps its meaning. Where both fail, the first error is told.
async function load(task) {
  const path = task.folder + "/user.mjs", url = name => "file://" + encodeURI(name);
  // Both at once: each waits for a thread of bun's own.
  const settings = isBun ? place(task.folder + "/bunfig.toml", '[install]\nauto = "disable"\n') : undefined;
  await place(path, task.script);
  await settings;
  try {
    return await import(url(path));
  } catch (e) {
    if (!isParseFailure(e, path)) throw e;
    const typed = task.folder + (isBun ? "/user.mts" : "/user.typed.mjs");
    try {
      const source = isBun ? task.script : await withoutTypes(task.script);
      if (!isBun && (source === undefined || source === task.script)) throw e;
      await place(typed, source);
      return await import(url(typed));
    } catch (second) {
      throw second === e || isParseFailure(second, typed) || second?.code?.endsWith?.("TYPESCRIPT_SYNTAX") ? e : second;
    }
  }
}

async function withoutTypes(source) {
  proc.removeAllListeners("warning");
  return (await import("node:module")).stripTypeScriptTypes?.(source);
}

// Put together as text, so that a toJSON of the script spoils its own value and not the record.
function lineOf(e) {
  let message = "The script threw something that has no text", stack;
  try {
    message = text(e && typeof e.message === "string" ? e.message : e);
  } catch {}
  try {
    if (typeof e.stack === "string") stack = e.stack;
  } catch {}
  const more = stack === undefined ? "" : `,"stack":${stringify(text(stack))}`;
  return `{"ok":false,"error":${stringify(message)}${more}}`;
}

async function main() {
  await loaded;  // what it opens is closed when somebody looks
  await tell("R");
  const body = await readTask();
  if (body === "") return;  // nobody will ask
  const task = parse(body);
  begun = true;
  delete env.BUN_RUNTIME_TRANSPILER_CACHE_PATH;  // it was for this program
  for (const name in task.env) env[name] = task.env[name];
  if (isBun) handOverEnvironment();
  if (task.packages) (await import("node:fs")).symlinkSync(task.packages, task.folder + "/node_modules");
  setGlobals(task);
  let line;
  try {
    let value = (await load(task)).default;
    if (typeof value === "function") value = await value(task.context);
    line = `{"ok":true,"result":${stringify(value) ?? "null"}}`;
  } catch (e) {
    line = lineOf(e);
  }
  await answer(line);
}

// Nothing is open any more and no promise was settled: without this the run would end without a word.
proc.on("beforeExit", () => {
  if (begun && !answered) answer('{"ok":false,"error":"Script ended while it waited for something that can no longer happen"}');
});
main();
