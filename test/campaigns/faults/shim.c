/*
 * Faults of a disk and a clock, for one process. Preloaded into it, this library stands between the program and the
 * system calls on files below FAULTS_ROOT. Its rules are in the file FAULTS_CONTROL, which may change at any time:
 *
 *   v<number>                                          first line: each set of rules has another number
 *   clock <seconds>                                    the wall clock is ahead by this much
 *   trace                                              each call is written to the file FAULTS_TRACE
 *   <call> <path part> <skip> <times> errno <number>   after the first <skip> calls, the next <times> fail (-1: all)
 *   <call> <path part> <skip> <times> delay <millis>   they take this much longer
 *   <call> <path part> <skip> <times> abort 0          the process is killed there
 *   end v<number>                                      last line
 *
 * Calls are read, write, sync, truncate, rename and link (to a path), open (to write or create) and openr (to read). The
 * monotonic clock is left alone. Supports only what the tests need: 64-bit Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CONTROL_BYTES 4096
#define MOST_RULES 32

struct rule {
  char call[16], part[128], action[16];
  long skip, times, value;
};

static const char *control, *root;
static char current[CONTROL_BYTES + 1];
static struct rule rules[MOST_RULES];
static int count, tracing, trace_file = -1;
static volatile long clock_offset;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTS_CONTROL"), *trace = getenv("FAULTS_TRACE");
  root = getenv("FAULTS_ROOT");
  if (path == NULL || root == NULL) return;
  int file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return;
  void *mapped = mmap(NULL, CONTROL_BYTES, PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) control = mapped;
  syscall(SYS_close, file);
  if (trace != NULL) trace_file = syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* Reads the rules if they have changed, unless they are just being written. The caller holds the mutex. */
static void look(void) {
  static char text[CONTROL_BYTES + 1];
  if (memcmp(control, current, CONTROL_BYTES) == 0) return;
  memcpy(text, control, CONTROL_BYTES);
  char version[32], ending[48];
  if (sscanf(text, "%31s", version) != 1) return;
  snprintf(ending, sizeof ending, "\nend %s\n", version);
  if (strstr(text, ending) == NULL) return;
  memcpy(current, text, CONTROL_BYTES);
  count = tracing = 0;
  clock_offset = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    struct rule *rule = &rules[count];
    long seconds;
    if (sscanf(line, "clock %ld", &seconds) == 1) clock_offset = seconds;
    else if (strcmp(line, "trace") == 0) tracing = 1;
    else if (count < MOST_RULES && sscanf(line, "%15s %127s %ld %ld %15s %ld", rule->call, rule->part, &rule->skip,
                                          &rule->times, rule->action, &rule->value) == 6) count++;
  }
}

static void note(const char *call, const char *path, int fd, const char *result) {
  char line[512];
  const char *name = strrchr(path, '/');
  int length = snprintf(line, sizeof line, "%s %s %d %s\n", call, name == NULL ? path : name + 1, fd, result);
  if (tracing && trace_file >= 0) syscall(SYS_write, trace_file, line, length < 512 ? length : 511);
}

/* Returns the number of the error with which the call must fail, or 0. */
static int on_path(const char *call, const char *path, int fd) {
  if (control == NULL || strstr(path, root) == NULL) return 0;
  struct rule found = { .action = "" };
  pthread_mutex_lock(&mutex);
  look();
  for (int i = 0; i < count; i++) {
    struct rule *rule = &rules[i];
    if (strcmp(rule->call, call) != 0 || strstr(path, rule->part) == NULL) continue;
    if (rule->skip > 0) { rule->skip--; continue; }
    if (rule->times == 0) continue;
    if (rule->times > 0) rule->times--;
    found = *rule;
    break;
  }
  note(call, path, fd, found.action[0] == 0 ? "ok" : found.action);
  pthread_mutex_unlock(&mutex);
  if (strcmp(found.action, "errno") == 0) return (int)found.value;
  if (strcmp(found.action, "delay") == 0) {
    struct timespec time = { found.value / 1000, found.value % 1000 * 1000000 };
    nanosleep(&time, NULL);
  }
  if (strcmp(found.action, "abort") == 0) kill(getpid(), SIGKILL);
  return 0;
}

static int on_file(const char *call, int fd) {
  if (control == NULL || fd == 0 || fd == 2) return 0;
  char link[32], path[1024];
  if (fd == 1) {
    if (strcmp(call, "write") != 0) return 0;
    pthread_mutex_lock(&mutex);
    note(call, "stdout", fd, "ok");
    pthread_mutex_unlock(&mutex);
    return 0;
  }
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return path[0] == '/' ? on_path(call, path, fd) : 0;
}

#define ON_FILE(call, fd) \
  int error = on_file(call, fd); \
  if (error != 0) { errno = error; return -1; }

ssize_t read(int fd, void *bytes, size_t size) { ON_FILE("read", fd) return syscall(SYS_read, fd, bytes, size); }
ssize_t pread(int fd, void *bytes, size_t size, off_t at) { ON_FILE("read", fd) return syscall(SYS_pread64, fd, bytes, size, at); }
ssize_t pread64(int fd, void *bytes, size_t size, off64_t at) { ON_FILE("read", fd) return syscall(SYS_pread64, fd, bytes, size, at); }
ssize_t write(int fd, const void *bytes, size_t size) { ON_FILE("write", fd) return syscall(SYS_write, fd, bytes, size); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { ON_FILE("write", fd) return syscall(SYS_pwrite64, fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { ON_FILE("write", fd) return syscall(SYS_pwrite64, fd, bytes, size, at); }
int fsync(int fd) { ON_FILE("sync", fd) return syscall(SYS_fsync, fd); }
int fdatasync(int fd) { ON_FILE("sync", fd) return syscall(SYS_fdatasync, fd); }
int ftruncate(int fd, off_t size) { ON_FILE("truncate", fd) return syscall(SYS_ftruncate, fd, size); }
int ftruncate64(int fd, off64_t size) { ON_FILE("truncate", fd) return syscall(SYS_ftruncate, fd, size); }

int close(int fd) {
  if (fd > 2) on_file("close", fd);
  return syscall(SYS_close, fd);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
  int error = on_path((flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 ? "open" : "openr", path, -1);
  if (error != 0) { errno = error; return -1; }
  return syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE(flags) \
  mode_t mode = 0; \
  if (((flags) & O_CREAT) != 0) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }

/* Resolves the folder first: the path may name it by its descriptor. */
static int on_name(const char *call, const char *to) {
  char folder[1024], real[PATH_MAX], path[PATH_MAX + 256];
  const char *name = strrchr(to, '/');
  snprintf(folder, sizeof folder, "%.*s", name == NULL ? 1 : (int)(name - to), name == NULL ? "." : to);
  if (realpath(folder, real) == NULL) return 0;
  snprintf(path, sizeof path, "%s/%s", real, name == NULL ? to : name + 1);
  return on_path(call, path, -1);
}

#define ON_NAME(call, to) \
  int error = on_name(call, to); \
  if (error != 0) { errno = error; return -1; }

int rename(const char *from, const char *to) { ON_NAME("rename", to) return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to); }
int link(const char *from, const char *to) { ON_NAME("link", to) return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }

static long offset(void) {
  if (control == NULL) return 0;
  pthread_mutex_lock(&mutex);
  look();
  pthread_mutex_unlock(&mutex);
  return clock_offset;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, id, time);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
  return result;
}

int gettimeofday(struct timeval *time, void *zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  *time = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
  return result;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != NULL) *into = now.tv_sec;
  return now.tv_sec;
}
