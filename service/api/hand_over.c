#include "hand_over.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base.h"

enum {
    ROUNDS = 101
};

/* Two threads that wake each other in turns. */
struct rally {
    sem_t there;
    sem_t back;
};

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) /* a signal came in between */
        ;
}

static void *return_all(void *arg)
{
    struct rally *rally = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        wait_for(&rally->there);
        sem_post(&rally->back);
    }
    return NULL;
}

static uint64_t serve_one(struct rally *rally)
{
    uint64_t start_ns = clock_now_ns();
    sem_post(&rally->there);
    wait_for(&rally->back);
    return clock_now_ns() - start_ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t median_of_all(struct rally *rally)
{
    uint64_t took_ns[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++)
        took_ns[i] = serve_one(rally);
    qsort(took_ns, ROUNDS, sizeof took_ns[0], compare);
    return took_ns[ROUNDS / 2];
}

uint64_t hand_over_measure_ns(void)
{
    struct rally rally;
    pthread_t thread;
    uint64_t median_ns = 0;
    sem_init(&rally.there, 0, 0);
    sem_init(&rally.back, 0, 0);
    if (pthread_create(&thread, NULL, return_all, &rally) == 0) {
        median_ns = median_of_all(&rally);
        pthread_join(thread, NULL);
    }
    sem_destroy(&rally.there);
    sem_destroy(&rally.back);
    return median_ns;
}
