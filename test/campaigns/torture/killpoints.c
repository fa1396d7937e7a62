/*
 * Points at which a process is killed while it changes files. Preloaded into the process, this library counts the
 * system calls that change files below KILL_ROOT, and ends the process by SIGKILL at one of them.
 *
 *   KILL_COUNTS   a file of eight 64-bit numbers, mapped into the process: how often each call was made so far
 *   KILL_CALL     the call to die at: open, write, sync, truncate, rename, unlink, mkdir or rmdir
 *   KILL_WHEN     before, after, or (write only) amid: once half of the bytes are written
 *   KILL_AT       the number of that call among those of its kind, from 1
 *
 * Only opens that may write are counted. Supports only what the tests need: 64-bit Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum call { OPEN, WRITE, SYNC, TRUNCATE, RENAME, UNLINK, MKDIR, RMDIR, CALLS };
static const char *const names[CALLS] = {"open", "write", "sync", "truncate", "rename", "unlink", "mkdir", "rmdir"};

static const char *root, *when = "";
static long unmapped[CALLS], *counts = unmapped;
static int deadly = -1;
static long deadly_at;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("KILL_COUNTS"), *call = getenv("KILL_CALL"), *at = getenv("KILL_AT");
  root = getenv("KILL_ROOT");
  if (getenv("KILL_WHEN") != NULL) when = getenv("KILL_WHEN");
  if (at != NULL) deadly_at = atol(at);
  for (int i = 0; call != NULL && i < CALLS; i++) if (strcmp(call, names[i]) == 0) deadly = i;
  if (file == NULL) return;
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof unmapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) counts = mapped;
  syscall(SYS_close, fd);
}

static int is_below(const char *path) { return root != NULL && strncmp(path, root, strlen(root)) == 0; }

static int is_file_below(int fd) {
  char link[] = "/proc/self/fd/0123456789", path[1024], digits[16];
  int length = 0, place = sizeof "/proc/self/fd/" - 1;
  if (fd < 3) return 0;
  for (int rest = fd; rest > 0; rest /= 10) digits[length++] = '0' + rest % 10;
  while (length > 0) link[place++] = digits[--length];
  link[place] = 0;
  long read = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (read <= 0) return 0;
  path[read] = 0;
  return is_below(path);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Counts the call and kills the process if it must die before it. Returns whether it must die amid or after it. */
static int cross(enum call call) {
  long at = __sync_add_and_fetch(&counts[call], 1);
  if ((int)call != deadly || at != deadly_at) return 0;
  if (strcmp(when, "before") == 0) die();
  return 1;
}

#define CROSSING(call, is_ours, does) \
  int dies = (is_ours) && cross(call); \
  long result = does; \
  if (dies) die(); \
  return result;

static ssize_t write_at(int fd, const void *bytes, size_t size, off_t at, int has_place) {
  int dies = is_file_below(fd) && cross(WRITE);
  if (dies && strcmp(when, "amid") == 0) size /= 2;
  long result = has_place ? syscall(SYS_pwrite64, fd, bytes, size, at) : syscall(SYS_write, fd, bytes, size);
  if (dies) die();
  return result;
}

ssize_t write(int fd, const void *bytes, size_t size) { return write_at(fd, bytes, size, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return write_at(fd, bytes, size, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) { return write_at(fd, bytes, size, at, 1); }

int fsync(int fd) { CROSSING(SYNC, is_file_below(fd), syscall(SYS_fsync, fd)) }
int fdatasync(int fd) { CROSSING(SYNC, is_file_below(fd), syscall(SYS_fdatasync, fd)) }
int ftruncate(int fd, off_t size) { CROSSING(TRUNCATE, is_file_below(fd), syscall(SYS_ftruncate, fd, size)) }
int ftruncate64(int fd, off64_t size) { CROSSING(TRUNCATE, is_file_below(fd), syscall(SYS_ftruncate, fd, size)) }

int rename(const char *from, const char *to) {
  CROSSING(RENAME, is_below(to), syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0))
}
int unlink(const char *path) { CROSSING(UNLINK, is_below(path), syscall(SYS_unlinkat, AT_FDCWD, path, 0)) }
int rmdir(const char *path) { CROSSING(RMDIR, is_below(path), syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)) }
int mkdir(const char *path, mode_t mode) { CROSSING(MKDIR, is_below(path), syscall(SYS_mkdirat, AT_FDCWD, path, mode)) }

static int open_at(const char *path, int flags, mode_t mode) {
  CROSSING(OPEN, (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 && is_below(path),
           syscall(SYS_openat, AT_FDCWD, path, flags, mode))
}

#define OPENING \
  va_list rest; \
  va_start(rest, flags); \
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0; \
  va_end(rest);

int open(const char *path, int flags, ...) { OPENING return open_at(path, flags, mode); }
int open64(const char *path, int flags, ...) { OPENING return open_at(path, flags | O_LARGEFILE, mode); }
