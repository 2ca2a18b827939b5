/* Counts changes of files below a folder, and at the n-th lets the process die or the disk fail.

   Preloaded (LD_PRELOAD); FAULTS_BELOW names the folder. Changes come one after the other, also
   those of several threads. Whoever watches is told of each before and after it, while it waits.

   cc -O1 -shared -fPIC -o faults.so faults.c -ldl -lpthread                                     */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL, FAIL_ONCE, FAIL_FROM_THEN_ON };
enum { BEFORE, AFTER }; /* what a watcher is told; other numbers: AFTER a flush of that inode */

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static long count, at = LONG_MAX;
static int how, with, watcher = -1;

/* Count from now on; at change n (from 1) die or fail with this error. */
void faults_arm(long n, int mode, int error) { count = 0; how = mode; with = error; at = n; }
long faults_count(void) { return count; }
/* Tell this socket of every change, and wait for its answer. */
void faults_watch(int socket) { watcher = socket; }

static int below(const char *path) {
    const char *folder = getenv("FAULTS_BELOW");
    return folder && path && !strncmp(path, folder, strlen(folder));
}

static int fd_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

static int at_below(int folder, const char *path) {
    return folder == AT_FDCWD || (path && *path == '/') ? below(path) : fd_below(folder);
}

static void tell(uint64_t what) {
    char answer;
    int known = errno;
    if (watcher >= 0 && syscall(SYS_write, watcher, &what, sizeof what) == sizeof what)
        while (syscall(SYS_read, watcher, &answer, 1) < 0 && errno == EINTR) continue;
    errno = known;
}

/* Begin a change; 0 where it fails instead. */
static int begin(void) {
    pthread_mutex_lock(&changing);
    tell(BEFORE);
    long n = ++count;
    if (n < at || (n > at && how != FAIL_FROM_THEN_ON)) return 1;
    if (how == KILL) { kill(getpid(), SIGKILL); pause(); }
    errno = with;
    return 0;
}

static void end(uint64_t what) {
    tell(what);
    pthread_mutex_unlock(&changing);
}

/* A call of the real function, as a change where it is one. */
#define CHANGE(is_one, call) ({ \
    __typeof__(call) done = -1; \
    if (!(is_one)) done = call; \
    else { if (begin()) done = call; end(AFTER); } \
    done; })
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define ON_FD(name, type, fd, parameters, ...) \
    type name parameters { REAL(name); return CHANGE(fd_below(fd), real(__VA_ARGS__)); }
#define ON_PATH(name, path, parameters, ...) \
    int name parameters { REAL(name); return CHANGE(below(path), real(__VA_ARGS__)); }
#define AT_PATH(name, fd, path, parameters, ...) \
    int name parameters { REAL(name); return CHANGE(at_below(fd, path), real(__VA_ARGS__)); }

ON_FD(write, ssize_t, fd, (int fd, const void *data, size_t n), fd, data, n)
ON_FD(pwrite, ssize_t, fd, (int fd, const void *data, size_t n, off_t to), fd, data, n, to)
ON_FD(pwrite64, ssize_t, fd, (int fd, const void *data, size_t n, off64_t to), fd, data, n, to)
ON_FD(writev, ssize_t, fd, (int fd, const struct iovec *data, int n), fd, data, n)
ON_FD(sendfile, ssize_t, fd, (int fd, int in, off_t *from, size_t n), fd, in, from, n)
ON_FD(sendfile64, ssize_t, fd, (int fd, int in, off64_t *from, size_t n), fd, in, from, n)
ON_FD(copy_file_range, ssize_t, fd,
      (int in, off64_t *from, int fd, off64_t *to, size_t n, unsigned how), in, from, fd, to, n, how)
ON_FD(ftruncate, int, fd, (int fd, off_t n), fd, n)
ON_FD(ftruncate64, int, fd, (int fd, off64_t n), fd, n)
ON_PATH(unlink, path, (const char *path), path)
ON_PATH(rmdir, path, (const char *path), path)
ON_PATH(mkdir, path, (const char *path, mode_t mode), path, mode)
ON_PATH(rename, to, (const char *from, const char *to), from, to)
ON_PATH(link, to, (const char *from, const char *to), from, to)
ON_PATH(symlink, to, (const char *from, const char *to), from, to)
AT_PATH(unlinkat, fd, path, (int fd, const char *path, int flags), fd, path, flags)
AT_PATH(mkdirat, fd, path, (int fd, const char *path, mode_t mode), fd, path, mode)
AT_PATH(renameat, fd, to, (int old, const char *from, int fd, const char *to), old, from, fd, to)
AT_PATH(linkat, fd, to, (int old, const char *from, int fd, const char *to, int flags),
        old, from, fd, to, flags)

/* Whether opening a file makes it or empties it. */
static int opening(int folder, const char *path, int flags) {
    struct stat about;
    if (!(flags & (O_CREAT | O_TRUNC)) || !at_below(folder, path)) return 0;
    if (fstatat(folder, path, &about, 0)) return (flags & O_CREAT) != 0;
    return (flags & O_TRUNC) && S_ISREG(about.st_mode) && about.st_size;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        return CHANGE(opening(AT_FDCWD, path, flags), real(path, flags, mode)); \
    }
#define OPEN_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        return CHANGE(opening(folder, path, flags), real(folder, path, flags, mode)); \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

/* How a C library opens files, C++'s streams among them, without a call of the above. */
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) { \
        REAL(name); \
        int flags = *mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT : 0; \
        if (!opening(AT_FDCWD, path, flags)) return real(path, mode); \
        FILE *done = begin() ? real(path, mode) : NULL; \
        end(AFTER); \
        return done; \
    }
FOPEN(fopen)
FOPEN(fopen64)

#define FLUSH(name) \
    int name(int fd) { \
        REAL(name); \
        struct stat about; \
        if (!fd_below(fd)) return real(fd); \
        int done = begin() ? real(fd) : -1; \
        end(!done && !fstat(fd, &about) ? about.st_ino : AFTER); \
        return done; \
    }
FLUSH(fsync)
FLUSH(fdatasync)
