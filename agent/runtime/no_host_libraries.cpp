// Part of the static program only. libcrypto and SQLite call dlopen(3) for providers, engines and
// extensions. In a static program that would load a library of the host, and with it the host's
// glibc beside our own, which ends in a crash as soon as the two differ. So the family is defined
// here, before the linker looks into libc.a, and says no in words that its callers print.

extern "C" {

void* dlopen(const char*, int) {
  return nullptr;
}
void* dlsym(void*, const char*) {
  return nullptr;
}
void* dlvsym(void*, const char*, const char*) {
  return nullptr;
}
int dladdr(const void*, void*) {
  return 0;
}
int dlinfo(void*, int, void*) {
  return -1;
}
int dlclose(void*) {
  return -1;
}
char* dlerror() {
  static char text[] = "this program is static and loads no library";
  return text;
}
}
