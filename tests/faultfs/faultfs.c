/*
 * A disk that fails when it is told to: loaded with LD_PRELOAD over a real mgsd, between SQLite and the kernel.
 *
 *   FAULTFS_DIR    only files FAULTFS_DIR/mgs.db* are concerned, the index of the log (-shm) excepted: it is memory
 *   FAULTFS_CTL    64-bit words, little-endian, shared with the test while the daemon runs:
 *                    0 kind of fault (below)      4 faults made
 *                    1 every N-th operation       5 writes seen
 *                    2 at most so many (0: any)   6 syncs seen
 *                    3 operations counted         7 microseconds that a sync takes
 *   FAULTFS_UNDO   directory: for each file what a power cut would take away, FILE.undo, emptied by a sync:
 *                    u64 offset, u64 size of the file before, u64 bytes written, u64 bytes before, these bytes
 *
 * KILL is a kill -9 in front of a write or sync. A failed fsync loses what was not yet synced, at once: kernels drop such pages. A lying one says yes and syncs nothing.
 * No sync reaches the real disk: what a power cut leaves is made from the undo files by the test.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONE, WRITE_EIO, WRITE_ENOSPC, SHORT_WRITE, SYNC_EIO, READ_ONLY, LYING_SYNC, FULL, KILL };
enum { KIND, EVERY, LIMIT, COUNTED, MADE, WRITES, SYNCS, SYNC_USEC, WORDS };

#define FDS 4096
static uint64_t nothing[WORDS];
static volatile uint64_t *ctl = nothing;
static const char *dir, *undo_dir;
static int undo_of[FDS]; /* descriptor of the undo file + 1; 0: not concerned */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("FAULTFS_CTL");
	int fd;

	real_open = dlsym(RTLD_NEXT, "open");
	real_close = dlsym(RTLD_NEXT, "close");
	real_write = dlsym(RTLD_NEXT, "write");
	real_pwrite = dlsym(RTLD_NEXT, "pwrite");
	real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
	real_unlink = dlsym(RTLD_NEXT, "unlink");
	real_rename = dlsym(RTLD_NEXT, "rename");
	dir = getenv("FAULTFS_DIR");
	undo_dir = getenv("FAULTFS_UNDO");
	if (!file || !dir || !undo_dir)
		return;
	fd = real_open(file, O_RDWR);
	if (fd >= 0) {
		void *map = mmap(NULL, sizeof(nothing), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (map != MAP_FAILED)
			ctl = map;
		real_close(fd);
	}
}

/* The name of a file that we are concerned with, or NULL. */
static const char *ours(const char *path)
{
	size_t n = dir ? strlen(dir) : 0;
	const char *name;

	if (!n || strncmp(path, dir, n) || path[n] != '/')
		return NULL;
	name = path + n + 1;
	if (strncmp(name, "mgs.db", 6) || strchr(name, '/') || strstr(name, "-shm"))
		return NULL;
	return name;
}

static void undo_path(char *out, size_t size, const char *name)
{
	snprintf(out, size, "%s/%s.undo", undo_dir, name);
}

/* Whether an operation that faults of a kind concern fails now. */
static int fails(uint64_t kind)
{
	if (!ctl[EVERY] || ctl[KIND] != kind)
		return 0;
	ctl[COUNTED]++;
	if (ctl[COUNTED] % ctl[EVERY] || (ctl[LIMIT] && ctl[MADE] >= ctl[LIMIT]))
		return 0;
	ctl[MADE]++;
	return 1;
}

/* The process may end here. */
static void may_die(void)
{
	if (fails(KILL))
		kill(getpid(), SIGKILL);
}

static int concerned(int fd)
{
	return fd >= 0 && fd < FDS && undo_of[fd];
}

/* Remembers what a write of n bytes at `at`, or (n = 0) a new size `at`, takes away. */
static int remember(int fd, off_t at, size_t n)
{
	struct stat st;
	uint64_t head[4];
	size_t old;
	char *record;
	int done;

	if (fstat(fd, &st))
		return -1;
	old = st.st_size > at ? (size_t)(st.st_size - at) : 0;
	if (n && old > n)
		old = n;
	head[0] = at;
	head[1] = st.st_size;
	head[2] = n;
	head[3] = old;
	record = malloc(sizeof(head) + old);
	if (!record)
		return -1;
	memcpy(record, head, sizeof(head));
	done = pread(fd, record + sizeof(head), old, at) == (ssize_t)old &&
	       real_write(undo_of[fd] - 1, record, sizeof(head) + old) == (ssize_t)(sizeof(head) + old);
	free(record);
	return done ? 0 : -1;
}

/* Takes away what was not synced, the last first. */
static void lose(int fd)
{
	int undo = undo_of[fd] - 1;
	off_t end = lseek(undo, 0, SEEK_END), at = 0;
	off_t *starts = malloc((end / 32 + 1) * sizeof(off_t));
	size_t count = 0;
	uint64_t head[4];

	while (starts && pread(undo, head, sizeof(head), at) == sizeof(head)) {
		starts[count++] = at;
		at += sizeof(head) + head[3];
	}
	while (count--) {
		char *old;

		pread(undo, head, sizeof(head), starts[count]);
		old = malloc(head[3] + 1);
		pread(undo, old, head[3], starts[count] + sizeof(head));
		real_pwrite(fd, old, head[3], head[0]);
		real_ftruncate(fd, head[1]);
		free(old);
	}
	free(starts);
	real_ftruncate(undo, 0);
}

static ssize_t faulty_write(int fd, const void *buffer, size_t n, off_t at, int seeks)
{
	struct stat st;
	ssize_t done = -1;

	pthread_mutex_lock(&lock);
	may_die();
	ctl[WRITES]++;
	if (fails(WRITE_EIO)) {
		errno = EIO;
	} else if (fails(WRITE_ENOSPC)) {
		errno = ENOSPC;
	} else if (fails(READ_ONLY)) {
		errno = EROFS;
	} else if (ctl[KIND] == FULL && !fstat(fd, &st) && at + (off_t)n > st.st_size && fails(FULL)) {
		errno = ENOSPC;
	} else {
		if (n > 1 && fails(SHORT_WRITE))
			n /= 2;
		if (remember(fd, at, n))
			errno = EIO;
		else
			done = real_pwrite(fd, buffer, n, at);
		if (done > 0 && seeks)
			lseek(fd, at + done, SEEK_SET);
	}
	pthread_mutex_unlock(&lock);
	return done;
}

static int opened(int fd, const char *path)
{
	const char *name = fd >= 0 && fd < FDS ? ours(path) : NULL;
	char undo[4096];

	if (name) {
		undo_path(undo, sizeof(undo), name);
		pthread_mutex_lock(&lock);
		undo_of[fd] = real_open(undo, O_RDWR | O_CREAT | O_APPEND, 0600) + 1;
		pthread_mutex_unlock(&lock);
	}
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if (flags & (O_WRONLY | O_RDWR) && ours(path) && fails(READ_ONLY)) {
		errno = EROFS;
		return -1;
	}
	if (flags & O_WRONLY && ours(path))
		flags = (flags & ~O_WRONLY) | O_RDWR; /* we read what a write takes away */
	return opened(real_open(path, flags, mode), path);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return open(path, flags, mode);
}

int close(int fd)
{
	pthread_mutex_lock(&lock);
	if (concerned(fd)) {
		real_close(undo_of[fd] - 1);
		undo_of[fd] = 0;
	}
	pthread_mutex_unlock(&lock);
	return real_close(fd);
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	if (!concerned(fd))
		return real_write(fd, buffer, n);
	return faulty_write(fd, buffer, n, lseek(fd, 0, SEEK_CUR), 1);
}

ssize_t pwrite(int fd, const void *buffer, size_t n, off_t at)
{
	return concerned(fd) ? faulty_write(fd, buffer, n, at, 0) : real_pwrite(fd, buffer, n, at);
}

ssize_t pwrite64(int fd, const void *buffer, size_t n, off64_t at)
{
	return pwrite(fd, buffer, n, at);
}

int ftruncate(int fd, off_t size)
{
	int done = -1;

	if (!concerned(fd))
		return real_ftruncate(fd, size);
	pthread_mutex_lock(&lock);
	may_die();
	if (fails(WRITE_EIO))
		errno = EIO;
	else if (fails(READ_ONLY))
		errno = EROFS;
	else if (remember(fd, size, 0))
		errno = EIO;
	else
		done = real_ftruncate(fd, size);
	pthread_mutex_unlock(&lock);
	return done;
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int fsync(int fd)
{
	int done = 0;

	if (!concerned(fd))
		return 0;
	if (ctl[SYNC_USEC])
		usleep(ctl[SYNC_USEC]);
	pthread_mutex_lock(&lock);
	may_die();
	ctl[SYNCS]++;
	if (fails(SYNC_EIO)) {
		lose(fd);
		errno = EIO;
		done = -1;
	} else if (!fails(LYING_SYNC)) {
		done = real_ftruncate(undo_of[fd] - 1, 0);
	}
	pthread_mutex_unlock(&lock);
	return done;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int unlink(const char *path)
{
	const char *name = ours(path);
	char undo[4096];

	if (!name)
		return real_unlink(path);
	if (fails(READ_ONLY)) {
		errno = EROFS;
		return -1;
	}
	undo_path(undo, sizeof(undo), name);
	real_unlink(undo);
	return real_unlink(path);
}

int rename(const char *from, const char *to)
{
	const char *a = ours(from), *b = ours(to);
	char undo_a[4096], undo_b[4096];

	if (a && b) {
		undo_path(undo_a, sizeof(undo_a), a);
		undo_path(undo_b, sizeof(undo_b), b);
		real_rename(undo_a, undo_b);
	}
	return real_rename(from, to);
}
