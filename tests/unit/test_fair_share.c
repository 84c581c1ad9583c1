/* Whether those who share something get their parts. */
#include "fair_share.h"
#include "sim_random.h"
#include "sim_sharers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    SHARERS = 6
};

static size_t least_of(const struct fair_share *shares, const struct sim_sharers *account)
{
    size_t least = SHARERS;
    for (size_t i = 0; i < SHARERS; i++)
        if (account->of[i].wants &&
            (least == SHARERS || fair_share_less(&shares[i], &shares[least])))
            least = i;
    return least;
}

/* Sharers come and go at random and are served random amounts; sim_sharers.h knows the promise. */
static void share_at_random(uint64_t seed, uint64_t amount_most, uint64_t tag)
{
    struct sim_random random = sim_random_from(seed, 0);
    struct fair_clock clock = {.now = tag};
    struct fair_share shares[SHARERS];
    struct sim_sharers account;
    sim_sharers_init(&account, SHARERS, 0);
    for (size_t i = 0; i < SHARERS; i++) {
        shares[i] = (struct fair_share){.tag = tag,
                                        .weight = 1 + (unsigned)sim_draw(&random, FAIR_WEIGHT_MAX)};
        account.of[i].weight = shares[i].weight;
    }
    for (int n = 0; n < 20000; n++) {
        const size_t who = sim_draw(&random, SHARERS);
        if (sim_draw_chance(&random, 0.05)) {
            sim_sharers_want(&account, who, !account.of[who].wants);
            if (account.of[who].wants)
                fair_share_join(&shares[who], &clock);
        }
        const size_t next = least_of(shares, &account);
        if (next == SHARERS)
            continue;
        const uint64_t amount = 1 + sim_draw(&random, amount_most);
        fair_share_take(&shares[next], &clock, amount);
        const struct sim_unfair unfair = sim_sharers_take(&account, next, (double)amount);
        if (unfair.apart > unfair.allowed)
            fail_msg("seed %u: %zu and %zu are %g apart, allowed %g", (unsigned)seed, unfair.who,
                     unfair.other, unfair.apart, unfair.allowed);
    }
    sim_sharers_free(&account);
}

static void two_that_want_all_the_time_differ_by_a_serving_of_each(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        share_at_random(seed, seed % 2 == 0 ? 1 : 5000, 0);
}

static void tags_may_wrap_around(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        share_at_random(seed, 1000, UINT64_MAX - (UINT64_C(1) << (20 + seed)));
}

static void who_was_away_has_saved_nothing_up(void **state)
{
    (void)state;
    struct fair_clock clock = {.now = 0};
    struct fair_share busy = {.weight = 1};
    struct fair_share away = {.weight = 1};
    for (int i = 0; i < 1000; i++)
        fair_share_take(&busy, &clock, 10);
    assert_true(fair_share_less(&away, &busy));
    fair_share_join(&away, &clock);
    assert_true(fair_share_less(&away, &busy)); /* next, but only by one serving */
    fair_share_take(&away, &clock, 10);
    assert_false(fair_share_less(&away, &busy));
}

static void who_took_too_much_owes_it_when_he_comes_back(void **state)
{
    (void)state;
    struct fair_clock clock = {.now = 0};
    struct fair_share greedy = {.weight = 1};
    struct fair_share other = {.weight = 1};
    fair_share_take(&greedy, &clock, 1000);
    fair_share_join(&other, &clock);
    fair_share_join(&greedy, &clock);
    for (int i = 0; i < 10; i++) {
        assert_true(fair_share_less(&other, &greedy));
        fair_share_take(&other, &clock, 100);
    }
    assert_false(fair_share_less(&other, &greedy));
}

static void what_was_missed_is_forgone_but_for_a_part(void **state)
{
    (void)state;
    struct fair_clock clock = {.now = 0};
    struct fair_share busy = {.weight = 1};
    struct fair_share limited = {.weight = 1};
    for (int i = 0; i < 1000; i++)
        fair_share_take(&busy, &clock, 10);
    fair_share_forgo(&limited, &clock, 100);
    for (int i = 0; i < 11; i++) {
        assert_true(fair_share_less(&limited, &busy));
        fair_share_take(&limited, &clock, 10);
    }
    assert_false(fair_share_less(&limited, &busy));
    const uint64_t tag = limited.tag;
    fair_share_forgo(&limited, &clock, 100); /* nothing is missed */
    assert_int_equal(limited.tag, tag);
}

static void correction_leaves_what_was_really_taken(void **state)
{
    (void)state;
    struct fair_clock clock = {.now = 0};
    struct fair_share guessed = {.weight = 7};
    struct fair_share exact = {.weight = 7};
    fair_share_take(&guessed, &clock, 500);
    fair_share_correct(&guessed, 500, 1300);
    fair_share_take(&exact, &clock, 1300);
    assert_int_equal(guessed.tag, exact.tag);
    fair_share_take(&guessed, &clock, 5000);
    fair_share_correct(&guessed, 5000, 20);
    fair_share_take(&exact, &clock, 20);
    assert_int_equal(guessed.tag, exact.tag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_want_all_the_time_differ_by_a_serving_of_each),
        cmocka_unit_test(tags_may_wrap_around),
        cmocka_unit_test(who_was_away_has_saved_nothing_up),
        cmocka_unit_test(who_took_too_much_owes_it_when_he_comes_back),
        cmocka_unit_test(what_was_missed_is_forgone_but_for_a_part),
        cmocka_unit_test(correction_leaves_what_was_really_taken),
    };
    return cmocka_run_group_tests_name("fair_share", tests, NULL, NULL);
}
