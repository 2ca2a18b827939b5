/* Lets a process die, or a disk fail, at the n-th change of a file below a folder.

   Preloaded (LD_PRELOAD); FAULTS_BELOW names the folder. What is forced to the disk is copied to
   FAULTS_SHADOW, if that is given, under the file's inode: what it would have after a power cut.

   cc -O1 -shared -fPIC -o faults.so faults.c -ldl                                              */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL, FAIL_ONCE, FAIL_FROM_THEN_ON };

static atomic_long count;
static long at = LONG_MAX;
static int how, with;

/* Count from now on; at change n (from 1) die or fail with this error. */
void faults_arm(long n, int mode, int error) { count = 0; how = mode; with = error; at = n; }
long faults_count(void) { return count; }

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

/* Whether this change fails. */
static int fault(void) {
    long n = ++count;
    if (n < at || (n > at && how != FAIL_FROM_THEN_ON)) return 0;
    if (how == KILL) { kill(getpid(), SIGKILL); pause(); }
    errno = with;
    return 1;
}

static void keep(int fd) {
    const char *shadow = getenv("FAULTS_SHADOW");
    struct stat about;
    char name[PATH_MAX], from[64], buffer[1 << 16];
    if (!shadow || fstat(fd, &about) || !S_ISREG(about.st_mode)) return;
    snprintf(name, sizeof name, "%s/%lu", shadow, (unsigned long)about.st_ino);
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    int in = open(from, O_RDONLY), out = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (ssize_t n; in >= 0 && out >= 0 && (n = read(in, buffer, sizeof buffer)) > 0;)
        if (syscall(SYS_write, out, buffer, n) != n) break;
    if (in >= 0) close(in);
    if (out >= 0) close(out);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define ON_FD(fd) if (fd_below(fd) && fault()) return -1
#define ON_PATH(path) if (below(path) && fault()) return -1

ssize_t write(int fd, const void *data, size_t n) { REAL(write); ON_FD(fd); return real(fd, data, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t to) { REAL(pwrite); ON_FD(fd); return real(fd, data, n, to); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t to) { REAL(pwrite64); ON_FD(fd); return real(fd, data, n, to); }
ssize_t writev(int fd, const struct iovec *data, int n) { REAL(writev); ON_FD(fd); return real(fd, data, n); }
int ftruncate(int fd, off_t n) { REAL(ftruncate); ON_FD(fd); return real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); ON_FD(fd); return real(fd, n); }
int unlink(const char *path) { REAL(unlink); ON_PATH(path); return real(path); }
int rename(const char *from, const char *to) { REAL(rename); ON_PATH(to); return real(from, to); }
int link(const char *from, const char *to) { REAL(link); ON_PATH(to); return real(from, to); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); ON_PATH(path); return real(path, mode); }

int fsync(int fd) {
    REAL(fsync);
    ON_FD(fd);
    int done = real(fd);
    if (!done && fd_below(fd)) keep(fd);
    return done;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    ON_FD(fd);
    int done = real(fd);
    if (!done && fd_below(fd)) keep(fd);
    return done;
}
