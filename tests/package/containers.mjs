// containers.mjs WORK DEPLOY BASE [every]: writes a bundle for runc for each way that the manifests and
// the compose file run the satellite; prints a line for each: name, expectation, title.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

const [work, deploy, base, every] = process.argv.slice(2);

// What Docker, containerd and CRI-O mask by default.
const masked = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
  "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"];
const readOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The image: its layers over each other, its configuration.
function unpackImage() {
  const blob = (digest) => readFileSync(join(work, "image/blobs", digest.replace(":", "/")));
  const index = JSON.parse(readFileSync(join(work, "image/index.json"), "utf8"));
  const manifest = JSON.parse(blob(index.manifests[0].digest));
  for (const layer of manifest.layers) {
    const bytes = layer.mediaType.endsWith("gzip") ? gunzipSync(blob(layer.digest)) : blob(layer.digest);
    execFileSync("tar", ["-C", join(work, "rootfs"), "-xf", "-"], { input: bytes, maxBuffer: 1 << 30 });
  }
  return JSON.parse(blob(manifest.config.digest)).config;
}

/// A profile as a runtime hands it to runc: what depends on capabilities and processor is decided.
function resolved(file, capabilities) {
  const profile = JSON.parse(readFileSync(file, "utf8"));
  const held = new Set(capabilities);
  const rules = [];
  for (const rule of profile.syscalls) {
    const { includes = {}, excludes = {} } = rule;
    if (includes.arches && !includes.arches.includes("amd64")) continue;
    if (excludes.arches?.includes("amd64")) continue;
    if (includes.caps && !includes.caps.every((one) => held.has(one))) continue;
    if (excludes.caps?.some((one) => held.has(one))) continue;
    const args = rule.args?.map(({ index, value, valueTwo, op }) => ({ index, value, valueTwo, op }));
    rules.push({ names: rule.names, action: rule.action, ...(args?.length ? { args } : {}),
      ...(rule.errnoRet !== undefined ? { errnoRet: rule.errnoRet } : {}) });
  }
  return { defaultAction: profile.defaultAction, defaultErrnoRet: profile.defaultErrnoRet ?? 1,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], syscalls: rules };
}

const image = unpackImage();

function bundle(name, way, args) {
  const folder = join(work, "bundles", name);
  mkdirSync(folder, { recursive: true });
  const capabilities = way.capabilities.map((one) => `CAP_${one}`);
  const effective = way.uid === 0 ? capabilities : [];
  const namespaces = ["pid", "ipc", "uts", "mount", "network", ...(way.userns ? ["user"] : [])];
  const map = [{ containerID: 0, hostID: 200000, size: 65536 }];
  writeFileSync(join(folder, "config.json"), JSON.stringify({
    ociVersion: "1.0.2",
    root: { path: join(work, "rootfs"), readonly: way.readOnlyRoot },
    hostname: "pod",
    process: {
      terminal: false, user: { uid: way.uid, gid: way.uid }, cwd: "/", env: image.Env,
      args, noNewPrivileges: way.noNewPrivileges,
      capabilities: { bounding: capabilities, effective, permitted: effective },
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"] },
      { destination: "/var/lib/checkstack-satellite", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"] },
      { destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=755"] },
      { destination: "/run/core.sh", type: "bind", source: join(work, "core.sh"), options: ["bind", "ro"] },
      { destination: "/run/devcore", type: "bind", source: join(work, "devcore"), options: ["bind", "ro"] },
      { destination: "/run/check.sh", type: "bind", source: join(work, "check.sh"), options: ["bind", "ro"] },
    ],
    linux: {
      cgroupsPath: `/checkstack-test-${process.ppid}-${name}`,
      namespaces: namespaces.map((type) => ({ type })),
      ...(way.userns ? { uidMappings: map, gidMappings: map } : {}),
      maskedPaths: way.unmasked ? [] : masked,
      readonlyPaths: way.unmasked ? [] : readOnly,
      resources: { devices: [{ allow: false, access: "rwm" }], memory: { limit: 512 << 20 }, pids: { limit: 1024 } },
      ...(way.seccomp ? { seccomp: resolved(way.seccomp, capabilities) } : {}),
    },
  }));
}

function ways() {
  const found = [];
  for (const name of ["root", "unprivileged"]) {
    const text = readFileSync(join(deploy, `kubernetes/satellite-${name}.yaml`), "utf8");
    const set = parseAllDocuments(text).map((one) => one.toJS()).find((one) => one.kind === "StatefulSet");
    const pod = set.spec.template.spec;
    const context = pod.containers[0].securityContext;
    found.push({
      name: `kubernetes-${name}`, uid: context.runAsUser, userns: pod.hostUsers === false,
      capabilities: context.capabilities.add ?? [], noNewPrivileges: context.allowPrivilegeEscalation === false,
      readOnlyRoot: context.readOnlyRootFilesystem, unmasked: context.procMount === "Unmasked",
      seccomp: join(work, pod.securityContext.seccompProfile.localhostProfile.replace("checkstack-satellite-", "seccomp-")),
      calls: name,
    });
  }
  const service = parse(readFileSync(join(deploy, "container/compose.yaml"), "utf8")).services.satellite;
  found.push({
    name: "compose", uid: Number(service.user.split(":")[0]), userns: false, capabilities: service.cap_add,
    noNewPrivileges: service.security_opt.includes("no-new-privileges:true"), readOnlyRoot: service.read_only,
    unmasked: false, seccomp: join(work, service.security_opt.find((one) => one.startsWith("seccomp=")).slice(8)), calls: "root",
  });
  return found;
}

const lines = [];
function add(way, expected, title) {
  const name = title.replace(/[^A-Za-z0-9]+/g, "-");
  bundle(`${name}-doctor`, way, [...image.Entrypoint, "doctor"]);
  bundle(`${name}-exec`, way, [...image.Entrypoint, "exec", "/run/check.sh"]);
  bundle(`${name}-core`, way, ["/bin/sh", "/run/core.sh"]);
  lines.push([name, expected, title].join("\t"));
}

for (const way of ways()) {
  add(way, "works", way.name);
  add({ ...way, seccomp: base }, "unknown", `${way.name}, the runtime's own profile`);
  if (!every) continue;
  for (const one of way.capabilities) {
    add({ ...way, capabilities: way.capabilities.filter((other) => other !== one) }, "unknown", `${way.name} without ${one}`);
  }
  const added = JSON.parse(readFileSync(way.seccomp, "utf8")).syscalls.at(-1).names;
  for (const call of added) {
    const profile = JSON.parse(readFileSync(way.seccomp, "utf8"));
    profile.syscalls.at(-1).names = added.filter((other) => other !== call);
    const file = join(work, `seccomp-${way.calls}-without-${call}.json`);
    writeFileSync(file, JSON.stringify(profile));
    add({ ...way, seccomp: file }, "unknown", `${way.name} without ${call}`);
  }
  if (way.unmasked) add({ ...way, unmasked: false }, "unknown", `${way.name}, /proc masked`);
}
console.log(lines.join("\n"));
