/* A library that stands between a program and its disk (LD_PRELOAD), for calls on paths below FAULTFS_DIR.
 *
 * FAULTFS_JOURNAL names a file that gets a record of every change, with what is needed to take it back: a power cut is
 * kill -9, and then the harness takes back what had not been synced. Files that are removed or replaced keep a link in
 * FAULTFS_LIMBO until then. With a journal, a sync only writes that it happened; it takes FAULTFS_SYNC_US.
 *
 * FAULTFS_CONTROL names a file of faults, read anew when it changes. A line is
 *   OP AFTER TIMES ACTION VALUE SUBSTRING
 * OP: read write sync syncdir open setlen rename unlink, or any. ACTION: errno VALUE, short (a write takes half), stall
 * VALUE milliseconds, hang (for as long as the file names a fault of this OP and SUBSTRING that hangs), crash (kill -9
 * instead of the call). It concerns TIMES calls after the first AFTER whose path has the SUBSTRING.
 *
 * A record: kind u8, inode u64, a u64, b u64, old size u64, lengths of path, other path and data u32 each, their bytes.
 *   C made path            W wrote b bytes at a (data: what was there)    T new size a (data: what was cut off)
 *   R path is other path   U removed path (a, b: its link in limbo)       M made directory    X removed directory
 *   S synced up to record position a      D the same of a directory's names      Y of everything
 *   G a sync failed: what was written before position a and not synced never reaches the disk
 */
#define _GNU_SOURCE
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>


static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *dir, *limbo, *control;
static int journal = -1;
static uint64_t position, limbo_count;
static useconds_t sync_us;

struct fault { char op[16], action[16], path[256]; long after, times, value; };
static struct fault faults[32];
static int fault_count;
static struct timespec control_changed;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULTFS_JOURNAL"), *us = getenv("FAULTFS_SYNC_US");
    dir = getenv("FAULTFS_DIR");
    limbo = getenv("FAULTFS_LIMBO");
    control = getenv("FAULTFS_CONTROL");
    sync_us = us ? (useconds_t)atol(us) : 500;
    if (name) journal = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    /* Limbo's names must differ from those of an earlier process in the same directory. */
    limbo_count = (uint64_t)getpid() << 32;
    if (journal >= 0) position = (uint64_t)lseek(journal, 0, SEEK_END);
}

static int is_ours(const char *path) { return dir && path && !strncmp(path, dir, strlen(dir)); }

/* The absolute path of a name that is looked up from a directory. */
static const char *full(int at, const char *name, char *out) {
    if (!name) return NULL;
    if (name[0] == '/') { snprintf(out, PATH_MAX, "%s", name); return out; }
    char link[64], base[PATH_MAX];
    ssize_t n;
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    n = readlink(link, base, sizeof base - 1);
    if (n < 0) return NULL;
    base[n] = 0;
    if ((size_t)snprintf(out, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return NULL;
    return out;
}

static const char *path_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n < 0) return NULL;
    out[n] = 0;
    return out;
}

static void put(const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = syscall(SYS_write, journal, at, size);
        if (n <= 0) abort();
        at += n, size -= (size_t)n, position += (uint64_t)n;
    }
}

static void note(char kind, uint64_t inode, uint64_t a, uint64_t b, uint64_t size, const char *path,
                 const char *other, const void *data, size_t data_size) {
    if (journal < 0) return;
    uint32_t p = path ? (uint32_t)strlen(path) : 0, o = other ? (uint32_t)strlen(other) : 0, d = (uint32_t)data_size;
    size_t total = 1 + 4 * 8 + 3 * 4 + p + o + d;
    char *record = malloc(total), *to = record;
    if (!record) abort();
#define ADD(from, n) do { if (n) memcpy(to, from, n); to += n; } while (0)
    ADD(&kind, 1); ADD(&inode, 8); ADD(&a, 8); ADD(&b, 8); ADD(&size, 8);
    ADD(&p, 4); ADD(&o, 4); ADD(&d, 4); ADD(path, p); ADD(other, o); ADD(data, d);
    put(record, total);
    free(record);
}

/* Reads the faults again if they have changed. */
static void read_control(void) {
    struct stat st;
    if (!control || stat(control, &st)) { fault_count = 0; return; }
    if (st.st_mtim.tv_sec == control_changed.tv_sec && st.st_mtim.tv_nsec == control_changed.tv_nsec) return;
    control_changed = st.st_mtim;
    fault_count = 0;
    FILE *file = fopen(control, "r");
    while (file && fault_count < 32) {
        struct fault *f = &faults[fault_count];
        if (fscanf(file, "%15s %ld %ld %15s %ld %255s", f->op, &f->after, &f->times, f->action, &f->value, f->path) != 6)
            break;
        fault_count++;
    }
    if (file) fclose(file);
}

static int still_hangs(const char *op, const char *path) {
    pthread_mutex_lock(&lock);
    read_control();
    int found = 0;
    for (int i = 0; i < fault_count && !found; i++)
        found = !strcmp(faults[i].op, op) && !strcmp(faults[i].action, "hang") && strstr(path, faults[i].path);
    pthread_mutex_unlock(&lock);
    return found;
}

/* 0: go on; 1: a write takes half; -1: fail with errno. Stalls here. */
static int fault(const char *op, const char *path) {
    int result = 0, hangs = 0;
    long stall = 0;
    if (!control) return 0;
    pthread_mutex_lock(&lock);
    read_control();
    for (int i = 0; i < fault_count; i++) {
        struct fault *f = &faults[i];
        if ((strcmp(f->op, op) && strcmp(f->op, "any")) || !strstr(path, f->path) || f->times <= 0) continue;
        if (f->after > 0) { f->after--; continue; }
        f->times--;
        if (!strcmp(f->action, "errno")) { errno = (int)f->value; result = -1; }
        else if (!strcmp(f->action, "short")) result = 1;
        else if (!strcmp(f->action, "stall")) stall = f->value;
        else if (!strcmp(f->action, "crash")) for (;;) { kill(getpid(), SIGKILL); pause(); }
        else if (!strcmp(f->action, "hang")) hangs = 1;
        break;
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    if (stall) usleep((useconds_t)stall * 1000);
    while (hangs && still_hangs(op, path)) usleep(10000);
    errno = kept;
    return result;
}

/* Notes what a change of [offset, offset + size) is going to replace. */
static void note_write(int fd, uint64_t offset, size_t size) {
    struct stat st;
    if (journal < 0 || fstat(fd, &st)) return;
    uint64_t old = (uint64_t)st.st_size;
    size_t covered = offset < old ? (size_t)(old - offset < size ? old - offset : size) : 0;
    char *data = malloc(covered + 1);
    ssize_t got = covered ? syscall(SYS_pread64, fd, data, covered, offset) : 0;
    note('W', st.st_ino, offset, size, old, NULL, NULL, data, got > 0 ? (size_t)got : 0);
    free(data);
}

static void note_cut(int fd, uint64_t size) {
    struct stat st;
    if (journal < 0 || fstat(fd, &st)) return;
    uint64_t old = (uint64_t)st.st_size;
    size_t gone = size < old ? (size_t)(old - size) : 0;
    char *data = malloc(gone + 1);
    ssize_t got = gone ? syscall(SYS_pread64, fd, data, gone, size) : 0;
    note('T', st.st_ino, size, 0, old, NULL, NULL, data, got > 0 ? (size_t)got : 0);
    free(data);
}

static int open_as(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    const char *p = full(at, name, path);
    int ours = is_ours(p);
    if (ours && fault("open", p) < 0) return -1;
    if (!ours || journal < 0) return (int)syscall(SYS_openat, at, name, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat st;
    int was_there = !stat(p, &st);
    if (was_there && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) {
        int fd = (int)syscall(SYS_openat, at, name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) { note_cut(fd, 0); syscall(SYS_close, fd); }
    }
    int fd = (int)syscall(SYS_openat, at, name, flags, mode);
    int kept = errno;
    if (fd >= 0 && !was_there && (flags & O_CREAT) && !fstat(fd, &st)) note('C', st.st_ino, 0, 0, 0, p, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return fd;
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); }
int open(const char *p, int flags, ...) { MODE return open_as(AT_FDCWD, p, flags, mode); }
int open64(const char *p, int flags, ...) { MODE return open_as(AT_FDCWD, p, flags | O_LARGEFILE, mode); }
int openat(int at, const char *p, int flags, ...) { MODE return open_as(at, p, flags, mode); }
int openat64(int at, const char *p, int flags, ...) { MODE return open_as(at, p, flags | O_LARGEFILE, mode); }

static ssize_t write_as(int fd, const struct iovec *v, int count, off64_t offset) {
    char path[PATH_MAX];
    const char *p = path_of(fd, path);
    if (!is_ours(p))
        return offset < 0 ? syscall(SYS_writev, fd, v, count) : syscall(SYS_pwritev, fd, v, count, offset, 0);
    int f = fault("write", p);
    if (f < 0) return -1;
    size_t size = 0;
    for (int i = 0; i < count; i++) size += v[i].iov_len;
    struct iovec half = {0};
    if (f > 0 && size > 1) {
        for (int i = 0; i < count; i++) if (v[i].iov_len) { half = v[i]; break; }
        if (half.iov_len > 1) half.iov_len /= 2;
        v = &half, count = 1, size = half.iov_len;
    }
    pthread_mutex_lock(&lock);
    off64_t at = offset < 0 ? lseek64(fd, 0, SEEK_CUR) : offset;
    note_write(fd, (uint64_t)at, size);
    ssize_t n = offset < 0 ? syscall(SYS_writev, fd, v, count) : syscall(SYS_pwritev, fd, v, count, offset, 0);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return n;
}

#define ONE struct iovec one = {(void *)b, n}
ssize_t write(int fd, const void *b, size_t n) { ONE; return write_as(fd, &one, 1, -1); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { ONE; return write_as(fd, &one, 1, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { ONE; return write_as(fd, &one, 1, o); }
ssize_t writev(int fd, const struct iovec *v, int c) { return write_as(fd, v, c, -1); }
ssize_t pwritev(int fd, const struct iovec *v, int c, off_t o) { return write_as(fd, v, c, o); }
ssize_t pwritev64(int fd, const struct iovec *v, int c, off64_t o) { return write_as(fd, v, c, o); }
ssize_t pwritev2(int fd, const struct iovec *v, int c, off_t o, int f) { (void)f; return write_as(fd, v, c, o); }
ssize_t pwritev64v2(int fd, const struct iovec *v, int c, off64_t o, int f) { (void)f; return write_as(fd, v, c, o); }

static int may_read(int fd) {
    char path[PATH_MAX];
    const char *p = control ? path_of(fd, path) : NULL;
    return !(is_ours(p) && fault("read", p) < 0);
}
ssize_t pread(int fd, void *b, size_t n, off_t o) { return may_read(fd) ? syscall(SYS_pread64, fd, b, n, o) : -1; }
ssize_t pread64(int fd, void *b, size_t n, off64_t o) { return may_read(fd) ? syscall(SYS_pread64, fd, b, n, o) : -1; }
ssize_t preadv(int fd, const struct iovec *v, int c, off_t o) { return may_read(fd) ? syscall(SYS_preadv, fd, v, c, o, 0) : -1; }
ssize_t preadv64(int fd, const struct iovec *v, int c, off64_t o) { return may_read(fd) ? syscall(SYS_preadv, fd, v, c, o, 0) : -1; }
ssize_t preadv2(int fd, const struct iovec *v, int c, off_t o, int f) { return may_read(fd) ? syscall(SYS_preadv2, fd, v, c, o, 0, f) : -1; }
ssize_t preadv64v2(int fd, const struct iovec *v, int c, off64_t o, int f) { return may_read(fd) ? syscall(SYS_preadv2, fd, v, c, o, 0, f) : -1; }
ssize_t sendfile(int out, int in, off_t *o, size_t n) { return may_read(in) ? syscall(SYS_sendfile, out, in, o, n) : -1; }
ssize_t sendfile64(int out, int in, off64_t *o, size_t n) { return may_read(in) ? syscall(SYS_sendfile, out, in, o, n) : -1; }

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    const char *p = path_of(fd, path);
    if (!is_ours(p)) return (int)syscall(SYS_ftruncate, fd, size);
    if (fault("setlen", p) < 0) return -1;
    pthread_mutex_lock(&lock);
    note_cut(fd, (uint64_t)size);
    int result = (int)syscall(SYS_ftruncate, fd, size), kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int sync_as(int fd, long number, char everything) {
    char path[PATH_MAX];
    struct stat st;
    const char *p = path_of(fd, path);
    if (!is_ours(p) || fstat(fd, &st)) return (int)syscall(number, fd);
    int is_dir = S_ISDIR(st.st_mode) && !everything;
    pthread_mutex_lock(&lock);
    uint64_t up_to = position;
    pthread_mutex_unlock(&lock);
    if (fault(is_dir ? "syncdir" : "sync", p) < 0) {
        int kept = errno;
        pthread_mutex_lock(&lock);
        if (!is_dir) note('G', st.st_ino, up_to, 0, 0, p, NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = kept;
        return -1;
    }
    if (journal < 0) return (int)syscall(number, fd);
    usleep(sync_us);
    pthread_mutex_lock(&lock);
    note(everything ? 'Y' : is_dir ? 'D' : 'S', st.st_ino, up_to, 0, 0, p, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}
int fsync(int fd) { return sync_as(fd, SYS_fsync, 0); }
int fdatasync(int fd) { return sync_as(fd, SYS_fdatasync, 0); }
int syncfs(int fd) { return sync_as(fd, SYS_syncfs, 1); }

/* Keeps a link to a file that is about to lose its name; gives the inode, and the number of the link or 0. */
static uint64_t keep(const char *path, uint64_t *inode) {
    char kept[PATH_MAX];
    struct stat st;
    *inode = 0;
    if (journal < 0 || lstat(path, &st)) return 0;
    *inode = st.st_ino;
    if (S_ISDIR(st.st_mode) || !limbo) return 0;
    uint64_t number = ++limbo_count;
    snprintf(kept, sizeof kept, "%s/%llu", limbo, (unsigned long long)number);
    return syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0) ? 0 : number;
}

static int rename_as(int from_at, const char *from, int to_at, const char *to) {
    char a[PATH_MAX], b[PATH_MAX];
    const char *p = full(from_at, from, a), *q = full(to_at, to, b);
    if (!is_ours(p) || !is_ours(q)) return (int)syscall(SYS_renameat, from_at, from, to_at, to);
    if (fault("rename", p) < 0) return -1;
    pthread_mutex_lock(&lock);
    uint64_t inode, link = keep(q, &inode);
    int result = (int)syscall(SYS_renameat, from_at, from, to_at, to), kept = errno;
    if (!result) note('R', inode, link, 0, 0, p, q, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}
int rename(const char *from, const char *to) { return rename_as(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int a, const char *from, int b, const char *to) { return rename_as(a, from, b, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned f) {
    return f ? (int)syscall(SYS_renameat2, a, from, b, to, f) : rename_as(a, from, b, to);
}

static int unlink_as(int at, const char *name, int flags) {
    char path[PATH_MAX];
    const char *p = full(at, name, path);
    if (!is_ours(p)) return (int)syscall(SYS_unlinkat, at, name, flags);
    if (fault("unlink", p) < 0) return -1;
    pthread_mutex_lock(&lock);
    uint64_t inode, link = keep(p, &inode);
    int result = (int)syscall(SYS_unlinkat, at, name, flags), kept = errno;
    if (!result) note((flags & AT_REMOVEDIR) ? 'X' : 'U', inode, link, 0, 0, p, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}
int unlink(const char *p) { return unlink_as(AT_FDCWD, p, 0); }
int unlinkat(int at, const char *p, int flags) { return unlink_as(at, p, flags); }
int rmdir(const char *p) { return unlink_as(AT_FDCWD, p, AT_REMOVEDIR); }

int mkdirat(int at, const char *name, mode_t mode) {
    char path[PATH_MAX];
    const char *p = full(at, name, path);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_mkdirat, at, name, mode), kept = errno;
    if (!result && is_ours(p)) note('M', 0, 0, 0, 0, p, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return result;
}
int mkdir(const char *p, mode_t mode) { return mkdirat(AT_FDCWD, p, mode); }
