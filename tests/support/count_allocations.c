/*
 * count_allocations.c - preloaded into a server under test: counts its allocations.
 *
 * The count is a 64-bit number at the start of the file that JITNEY_TEST_ALLOCATIONS names
 * (mapped, so that the test reads it while the server runs). Counts every call that may
 * allocate, whatever library makes it: malloc, calloc, realloc, aligned_alloc and
 * posix_memalign.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own entry points; dlsym() would allocate while it looks for them. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static _Atomic uint64_t uncounted;
static _Atomic uint64_t *counter = &uncounted;

__attribute__((constructor)) static void map_counter(void)
{
    const char *path = getenv("JITNEY_TEST_ALLOCATIONS");
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, sizeof *counter) != 0)
        return;
    void *memory = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED)
        counter = memory;
}

static void count(void)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    count();
    return __libc_calloc(n, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    count();
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    count();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    count();
    void *result = __libc_memalign(alignment, bytes);
    if (result == NULL)
        return ENOMEM;
    *memory = result;
    return 0;
}
