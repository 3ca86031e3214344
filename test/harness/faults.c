// Stands between a process and the C library, and has its file operations fail, fall short or be its last. test/harness/faults.py
// builds it, preloads it and gives it rules; see there for what the parts of a rule mean.
//
// A rule counts the operations that it matches, on every thread, and acts on those from `skip` on, `times` of them. Only calls of
// the C library are seen: what goes to the kernel directly (io_uring, a library with system calls of its own) is not.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum operation { WRITE = 1, SYNC = 2, TRUNCATE = 4, RENAME = 8, UNLINK = 16, OPEN = 32, READ = 64, MKDIR = 128 };
enum action { COUNT, FAIL, SHORT, KILL, TORN };
enum { RULES_MAX = 16, PATH_BYTES_MAX = 4096 };

struct rule {
  atomic_int operations;  // none: the rule is off
  char glob[512];
  int action, error, skip, times;
  atomic_int hits;
};

static struct rule rules[RULES_MAX];
static atomic_int rule_count;
static atomic_llong clock_offset_us;
static atomic_int trace_file = -1;

static const char *name_of(int operation) {
  switch (operation) {
    case WRITE: return "write";
    case SYNC: return "sync";
    case TRUNCATE: return "truncate";
    case RENAME: return "rename";
    case UNLINK: return "unlink";
    case OPEN: return "open";
    case MKDIR: return "mkdir";
    default: return "read";
  }
}

// Returns the rule's number, or -1 if there are too many.
int faults_rule(int operations, const char *glob, int action, int error, int skip, int times) {
  int number = rule_count;
  if (number == RULES_MAX || strlen(glob) >= sizeof rules[0].glob) return -1;
  struct rule *rule = &rules[number];
  strcpy(rule->glob, glob);
  rule->action = action;
  rule->error = error;
  rule->skip = skip;
  rule->times = times;
  rule->hits = 0;
  rule->operations = operations;
  rule_count = number + 1;
  return number;
}

void faults_clear(void) {
  int count = rule_count;
  rule_count = 0;
  for (int i = 0; i < count; i++) rules[i].operations = 0;
}

int faults_hits(int number) { return rules[number].hits; }

void faults_clock(long long offset_us) { clock_offset_us = offset_us; }

// A line in the trace, among those of the operations.
void faults_mark(const char *text) {
  if (trace_file >= 0) dprintf(trace_file, "mark %s\n", text);
}

static int open_raw(const char *path, int flags, mode_t mode) { return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode); }

// The first rules come from the environment, since what happens before the script could give any counts as well.
__attribute__((constructor)) static void begin(void) {
  const char *trace = getenv("OPLOG_FAULTS_TRACE");
  if (trace) trace_file = open_raw(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const char *text = getenv("OPLOG_FAULTS");
  while (text && *text) {
    int operations, action, error, skip, times, end = 0;
    char glob[512];
    if (sscanf(text, "%d %d %d %d %d %511[^\n]%n", &operations, &action, &error, &skip, &times, glob, &end) != 6) abort();
    faults_rule(operations, glob, action, error, skip, times);
    text += end;
    if (*text == '\n') text++;
  }
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// What is to become of an operation: the rule that acts on it, or none. Kills at once.
static struct rule *judge(int operation, int file, const char *path) {
  int count = rule_count, saved = errno;
  if (count == 0) return NULL;
  char link[32], name[PATH_BYTES_MAX];
  if (!path) {
    if (file == trace_file) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    errno = saved;
    if (length < 0) return NULL;
    name[length] = 0;
    // What a file is called that has been deleted while it is open.
    static const char deleted[] = " (deleted)";
    size_t tail = sizeof deleted - 1;
    if ((size_t)length > tail && strcmp(name + length - tail, deleted) == 0) name[length - tail] = 0;
    path = name;
  }
  struct rule *acting = NULL;
  int traced = 0;
  for (int i = 0; i < count; i++) {
    struct rule *rule = &rules[i];
    if (!(rule->operations & operation) || fnmatch(rule->glob, path, 0) != 0) continue;
    if (!traced && trace_file >= 0) {
      // One write(2), so that lines of several threads stay whole.
      dprintf(trace_file, "%s %s\n", name_of(operation), path);
      traced = 1;
    }
    int hit = atomic_fetch_add(&rule->hits, 1);
    if (hit < rule->skip || (rule->times >= 0 && hit - rule->skip >= rule->times) || rule->action == COUNT) continue;
    if (rule->action == KILL) die();
    if (!acting) acting = rule;
  }
  errno = saved;
  return acting;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

// `half` is the call with half of the bytes.
#define WRITING(file, half, whole) \
  do { \
    struct rule *rule = judge(WRITE, file, NULL); \
    if (!rule) return whole; \
    if (rule->action == FAIL) { errno = rule->error; return -1; } \
    ssize_t written = half; \
    if (rule->action == TORN) die(); \
    return written; \
  } while (0)

static size_t half_of(size_t bytes) { return bytes > 1 ? bytes / 2 : bytes; }

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(write);
  WRITING(file, real(file, bytes, half_of(count)), real(file, bytes, count));
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  REAL(pwrite);
  WRITING(file, real(file, bytes, half_of(count), offset), real(file, bytes, count, offset));
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  WRITING(file, real(file, bytes, half_of(count), offset), real(file, bytes, count, offset));
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev);
  WRITING(file, write(file, parts[0].iov_base, half_of(parts[0].iov_len)), real(file, parts, count));
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  REAL(pwritev);
  WRITING(file, pwrite(file, parts[0].iov_base, half_of(parts[0].iov_len), offset), real(file, parts, count, offset));
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset) {
  REAL(pwritev64);
  WRITING(file, pwrite64(file, parts[0].iov_base, half_of(parts[0].iov_len), offset), real(file, parts, count, offset));
}

ssize_t pwritev2(int file, const struct iovec *parts, int count, off_t offset, int flags) {
  REAL(pwritev2);
  WRITING(file, pwrite(file, parts[0].iov_base, half_of(parts[0].iov_len), offset), real(file, parts, count, offset, flags));
}

ssize_t pwritev64v2(int file, const struct iovec *parts, int count, off64_t offset, int flags) {
  REAL(pwritev64v2);
  WRITING(file, pwrite64(file, parts[0].iov_base, half_of(parts[0].iov_len), offset), real(file, parts, count, offset, flags));
}

// For all operations but writes: one that is to fall short does not happen.
#define REFUSE(operation, file, path) \
  do { \
    struct rule *rule = judge(operation, file, path); \
    if (rule && rule->action == FAIL) { errno = rule->error; return -1; } \
    if (rule && rule->action == TORN) die(); \
  } while (0)

ssize_t read(int file, void *bytes, size_t count) {
  REAL(read);
  REFUSE(READ, file, NULL);
  return real(file, bytes, count);
}

ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
  REAL(pread);
  REFUSE(READ, file, NULL);
  return real(file, bytes, count, offset);
}

ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) {
  REAL(pread64);
  REFUSE(READ, file, NULL);
  return real(file, bytes, count, offset);
}

ssize_t readv(int file, const struct iovec *parts, int count) {
  REAL(readv);
  REFUSE(READ, file, NULL);
  return real(file, parts, count);
}

ssize_t preadv(int file, const struct iovec *parts, int count, off_t offset) {
  REAL(preadv);
  REFUSE(READ, file, NULL);
  return real(file, parts, count, offset);
}

ssize_t preadv2(int file, const struct iovec *parts, int count, off_t offset, int flags) {
  REAL(preadv2);
  REFUSE(READ, file, NULL);
  return real(file, parts, count, offset, flags);
}

ssize_t preadv64v2(int file, const struct iovec *parts, int count, off64_t offset, int flags) {
  REAL(preadv64v2);
  REFUSE(READ, file, NULL);
  return real(file, parts, count, offset, flags);
}

ssize_t preadv64(int file, const struct iovec *parts, int count, off64_t offset) {
  REAL(preadv64);
  REFUSE(READ, file, NULL);
  return real(file, parts, count, offset);
}

int fsync(int file) {
  REAL(fsync);
  REFUSE(SYNC, file, NULL);
  return real(file);
}

int fdatasync(int file) {
  REAL(fdatasync);
  REFUSE(SYNC, file, NULL);
  return real(file);
}

int ftruncate(int file, off_t length) {
  REAL(ftruncate);
  REFUSE(TRUNCATE, file, NULL);
  return real(file, length);
}

int ftruncate64(int file, off64_t length) {
  REAL(ftruncate64);
  REFUSE(TRUNCATE, file, NULL);
  return real(file, length);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  REAL(fallocate);
  REFUSE(TRUNCATE, file, NULL);
  return real(file, mode, offset, length);
}

int fallocate64(int file, int mode, off64_t offset, off64_t length) {
  REAL(fallocate64);
  REFUSE(TRUNCATE, file, NULL);
  return real(file, mode, offset, length);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  REFUSE(RENAME, -1, from);
  return real(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  REAL(renameat);
  REFUSE(RENAME, -1, from);
  return real(from_directory, from, to_directory, to);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  REAL(renameat2);
  REFUSE(RENAME, -1, from);
  return real(from_directory, from, to_directory, to, flags);
}

int link(const char *from, const char *to) {
  REAL(link);
  REFUSE(RENAME, -1, from);
  return real(from, to);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
  REAL(linkat);
  REFUSE(RENAME, -1, from);
  return real(from_directory, from, to_directory, to, flags);
}

int unlink(const char *path) {
  REAL(unlink);
  REFUSE(UNLINK, -1, path);
  return real(path);
}

int unlinkat(int directory, const char *path, int flags) {
  REAL(unlinkat);
  REFUSE(UNLINK, -1, path);
  return real(directory, path, flags);
}

int remove(const char *path) {
  REAL(remove);
  REFUSE(UNLINK, -1, path);
  return real(path);
}

int rmdir(const char *path) {
  REAL(rmdir);
  REFUSE(UNLINK, -1, path);
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  REFUSE(MKDIR, -1, path);
  return real(path, mode);
}

int mkdirat(int directory, const char *path, mode_t mode) {
  REAL(mkdirat);
  REFUSE(MKDIR, -1, path);
  return real(directory, path, mode);
}

int truncate(const char *path, off_t length) {
  REAL(truncate);
  REFUSE(TRUNCATE, -1, path);
  return real(path, length);
}

int truncate64(const char *path, off64_t length) {
  REAL(truncate64);
  REFUSE(TRUNCATE, -1, path);
  return real(path, length);
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }

int open(const char *path, int flags, ...) {
  REAL(open);
  MODE(flags);
  REFUSE(OPEN, -1, path);
  return real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  MODE(flags);
  REFUSE(OPEN, -1, path);
  return real(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
  REAL(openat);
  MODE(flags);
  REFUSE(OPEN, -1, path);
  return real(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
  REAL(openat64);
  MODE(flags);
  REFUSE(OPEN, -1, path);
  return real(directory, path, flags, mode);
}

// The wall clock. The others run on as they are, as they do when somebody sets it.
int clock_gettime(clockid_t clock, struct timespec *time) {
  REAL(clock_gettime);
  int result = real(clock, time);
  long long offset_us = clock_offset_us;
  if (result != 0 || offset_us == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  long long ns = time->tv_sec * 1000000000LL + time->tv_nsec + offset_us * 1000LL;
  time->tv_sec = ns / 1000000000LL;
  time->tv_nsec = ns % 1000000000LL;
  return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  REAL(gettimeofday);
  int result = real(time, zone);
  if (result == 0) {
    long long us = time->tv_sec * 1000000LL + time->tv_usec + clock_offset_us;
    time->tv_sec = us / 1000000LL;
    time->tv_usec = us % 1000000LL;
  }
  return result;
}
