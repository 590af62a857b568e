// The other side of every refusal: what checks are made of has to run in each sandbox as it does
// outside.
#include "tests/escape/escape_bench.hpp"
#include "tests/support/require_layer.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

struct Program {
  const char* path;
  const char* text;  ///< ends with `fine` on its last line when all went well
};

// clang-format off: the texts are programs of other languages.
constexpr Program programs[] = {
    {"/usr/bin/python3", R"x(cat >t.py <<'PY'
import asyncio, multiprocessing, os, shutil, sqlite3, stat, subprocess, tempfile, threading
from multiprocessing import shared_memory
def square(n): return n * n
async def ask():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    child = await asyncio.create_subprocess_exec("true")
    assert await child.wait() == 0
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: assert pool.map(square, [1, 2, 3]) == [1, 4, 9]
    asyncio.run(ask())
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_setaffinity(threading.get_native_id(), os.sched_getaffinity(0))
    os.setpriority(os.PRIO_PROCESS, 0, 1); os.nice(1)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    child = subprocess.Popen(["sleep", "60"])
    os.setpriority(os.PRIO_PROCESS, child.pid, 9); child.kill(); child.wait()
    with tempfile.TemporaryDirectory() as place:
        shutil.copy2("/usr/bin/env", place); shutil.copymode("/usr/bin/env", place + "/env")
        os.chmod(place, 0o1777); os.mkfifo(place + "/fifo")
        database = sqlite3.connect(place + "/db"); database.execute("create table t (a)")
        shutil.copytree("/usr/share/doc/base-files", place + "/tree", symlinks=True,
                        ignore_dangling_symlinks=True)
    shared = shared_memory.SharedMemory(create=True, size=100)
    shared.close(); shared.unlink()
    print("fine")
PY
python3 t.py)x"},
    {"/usr/bin/perl", R"x(perl -MPOSIX -MSocket -e '
setpriority(0, 0, 5); POSIX::nice(1); mkdir "d", 0755; open(F, ">", "d/f") or die; close F;
chmod 0640, "d/f" or die; mkfifo("p", 0600) or die; utime(1, 1, "d/f") or die;
socket(S, PF_INET, SOCK_STREAM, 0) or die; setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1) or die;
system("true") == 0 or die; print `echo fine`')x"},
    {"/usr/bin/node", R"x(cat >t.js <<'JS'
const fs = require('fs'), os = require('os'), net = require('net');
const { Worker } = require('worker_threads'), { execFileSync } = require('child_process');
os.setPriority(0, 5); fs.mkdirSync('d/e', { recursive: true });
fs.copyFileSync('/usr/bin/env', 'd/env'); fs.chmodSync('d/env', 0o755);
fs.cpSync('d', 'c', { recursive: true }); fs.writeFileSync('d/f', 'x', { mode: 0o600 });
const watcher = fs.watch('d', () => {}); watcher.close(); execFileSync('true');
const server = net.createServer(s => s.end('hello')).listen(0, '127.0.0.1', () =>
  net.connect(server.address().port, '127.0.0.1').on('data', () => {}).on('end', () => {
    server.close();
    new Worker('require("worker_threads").parentPort.postMessage(1)', { eval: true })
      .on('message', () => console.log('fine'));
  }));
JS
node t.js)x"},
    {"/usr/bin/java",
     R"x(java -Xmx64m -XX:ThreadPriorityPolicy=0 -version 2>&1 | grep -qi version &&
java -Xmx64m -XX:+UseLargePages -version >/dev/null 2>&1 && echo fine)x"},
    {"/usr/bin/curl", R"x(curl -sf file:///etc/hosts >/dev/null && curl --version >/dev/null &&
curl -s --max-time 5 http://127.0.0.1:9/; [ $? = 7 ] && echo fine)x"},
    {"/usr/bin/ssh",
     R"x(# ssh runs for nobody without an account, in a sandbox as outside.
id -un >/dev/null 2>&1 || { echo fine; exit; }; ssh -V 2>/dev/null &&
ssh-keygen -q -t ed25519 -N '' -f key &&
[ "$(stat -c %a key)" = 600 ] && ssh -o BatchMode=yes -o ConnectTimeout=5 -p 9 127.0.0.1 true 2>&1 |
grep -q refused && echo fine)x"},
    {"/usr/bin/git", R"x(git init -q a && cd a && echo x >f && git add f &&
git -c user.name=n -c user.email=e commit -qm m && cd .. && git clone -q a b && [ -f b/f ] &&
git -C b gc -q && echo fine)x"},
    {"/usr/bin/tar", R"x(mkdir -p d/e && echo x >d/e/f && chmod 640 d/e/f && ln -s f d/e/l &&
tar czf d.tgz d && mkdir o && tar xpzf d.tgz -C o && [ "$(stat -c %a o/d/e/f)" = 640 ] &&
tar cf - -C /usr/bin passwd | tar xf - -C o && [ "$(stat -c %a o/passwd)" = 700 ] && echo fine)x"},
    {"/usr/bin/cp", R"x(cp -a /usr/share/doc/base-files docs && cp -p /usr/bin/env env &&
[ "$(stat -c %a env)" = 755 ] && cp -p /usr/bin/passwd p && [ ! -u p ] && mkdir -m 1777 t &&
mv docs moved && cp -r moved again && cp --sparse=always env s && echo fine)x"},
    {"/usr/bin/install", R"x(install -d -m 755 d/e && install -m 640 /usr/bin/env d/e/env &&
[ "$(stat -c %a d/e/env)" = 640 ] && install -p /usr/bin/env x && ./x true && echo fine)x"},
    {"/usr/bin/make", R"x(printf 'all: a b\na b:\n\t@sleep 0.01; touch $@\n' >Makefile &&
make -s -j2 && [ -f a ] && echo fine)x"},
    {"/usr/bin/nice", R"x(sleep 60 & renice -n 5 -p $! >/dev/null && renice -n 3 $$ >/dev/null &&
nice -n 9 true && kill $! && echo fine)x"},
    {"/usr/bin/ionice",
     R"x(ionice -c3 -p $$ && ionice -c2 -n7 true && [ "$(ionice -p $$)" = idle ] &&
echo fine)x"},
    {"/usr/bin/taskset", R"x(taskset -cp $(taskset -cp $$ | sed 's/.*: //') $$ >/dev/null &&
taskset -c 0-1023 true; chrt -b 0 true && chrt -b -p 0 $$ && echo fine)x"},
    {"/usr/bin/sqlite3", R"x(sqlite3 db 'pragma journal_mode=wal; create table t (a); insert into t
values (1); select count(*) from t;' | tail -1 | grep -qx 1 && echo fine)x"},
    {"/usr/bin/flock", R"x(flock lock true && flock -n /tmp/lock true && echo fine)x"},
    {"/usr/bin/script",
     R"x(script -qec 'echo inside' /dev/null </dev/null | grep -q inside && echo fine)x"},
};

// clang-format on

}  // namespace

TEST_CASE("programs that checks are made of run in every sandbox", "[programs]") {
  for (const Engine engine : confining_engines()) {
    ScriptBench bench(engine);
    Policy policy = policy_for(engine);
    policy.resources.memory_bytes.reset();
    for (const Program& program : programs) {
      const bool there = std::filesystem::exists(program.path);
      if (!require_layer(program.path, there, "not installed")) continue;
      INFO(program.path << " under " << name_of(engine));
      const Ran ran = bench.run(script(program.text), policy);
      INFO(ran.standard_output << "\n" << ran.standard_error << ran.result.error.value_or(""));
      CHECK(ran.result.exit_code == 0);
      CHECK(ran.standard_output.ends_with("fine\n"));
    }
  }
}
