/*
 * fair_share.c - tags, and how far they move.
 */
#include "fair_share.h"

#include <assert.h>

/* Keeps what a division by a weight would round away. */
#define TAG_UNIT (UINT64_C(1) << 20)

/* Nobody owes more when he comes back: four seconds, in nanoseconds. That he is behind, or so long
 * away that the tags have wrapped around, looks like more. */
#define OWED_MAX (UINT64_C(1) << 52)

static bool is_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static uint64_t distance(const struct fair_share *share, uint64_t amount)
{
    assert(share->weight > 0);
    return amount * TAG_UNIT / share->weight;
}

void fair_share_join(struct fair_share *share, const struct fair_clock *clock)
{
    if (share->tag - clock->now > OWED_MAX)
        share->tag = clock->now;
}

void fair_share_forgo(struct fair_share *share, const struct fair_clock *clock, uint64_t amount)
{
    const uint64_t earliest = clock->now - distance(share, amount);
    if (is_before(share->tag, earliest))
        share->tag = earliest;
}

void fair_share_take(struct fair_share *share, struct fair_clock *clock, uint64_t amount)
{
    if (is_before(clock->now, share->tag))
        clock->now = share->tag;
    share->tag += distance(share, amount);
}

void fair_share_correct(struct fair_share *share, uint64_t guessed, uint64_t actual)
{
    share->tag += distance(share, actual) - distance(share, guessed);
}

bool fair_share_less(const struct fair_share *first, const struct fair_share *second)
{
    return is_before(first->tag, second->tag);
}
