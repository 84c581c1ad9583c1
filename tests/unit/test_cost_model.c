/* Whether the line learns what it should and nothing else. */
#include "cost_model.h"
#include "sim_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define FIXED_NS 100e3
#define ROW_NS 20e3
#define FULL 32

static uint64_t exact_ns(uint64_t work)
{
    return (uint64_t)(FIXED_NS + ROW_NS * (double)work);
}

static void assert_near(double got, double expected, double part)
{
    if (fabs(got - expected) > part * expected)
        fail_msg("%g, expected %g give or take %g", got, expected, part * expected);
}

static struct cost_model learned(int batches, double noise, uint64_t seed)
{
    struct sim_random random = sim_random_from(seed, 0);
    struct cost_model model;
    cost_model_init(&model, FULL);
    for (int i = 0; i < batches; i++) {
        const uint64_t work = 1 + sim_draw(&random, FULL);
        const double factor = 1 + noise * sim_draw_normal(&random);
        cost_model_learn(&model, work, (uint64_t)((double)exact_ns(work) * factor));
    }
    return model;
}

static void first_batch_is_known_at_once(void **state)
{
    (void)state;
    struct cost_model model;
    cost_model_init(&model, FULL);
    assert_int_equal(cost_model_ns(&model, 5), 1000000); /* a guess */
    cost_model_learn(&model, 5, 300000);
    assert_near((double)cost_model_ns(&model, 5), 300000, 0.001);
    assert_false(cost_model_is_sure(&model));
}

static void seed_draws_the_line_through_two_batches_whatever_they_took(void **state)
{
    (void)state;
    struct cost_model model;
    cost_model_init(&model, FULL);
    cost_model_seed(&model, &(struct batcher_cost_seed){2, exact_ns(2), 16, exact_ns(16)});
    assert_true(cost_model_is_sure(&model));
    assert_near(model.fixed_ns, FIXED_NS, 0.001);
    assert_near((double)cost_model_ns(&model, FULL), (double)exact_ns(FULL), 0.001);

    const struct batcher_cost_seed odd[] = {
        {1, 1000000, 16, 500000}, /* the larger one was quicker */
        {1, 10, 16, 1000000},     /* more than in proportion */
        {8, 100000, 8, 100000},   /* there is only one size */
        {1, 0, 16, 0},
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        cost_model_init(&model, 100 * FULL);
        cost_model_seed(&model, &odd[i]);
        assert_true(model.one_ns >= 1);
        assert_true(model.full_ns >= model.one_ns);
        assert_true(model.full_ns <= model.one_ns * model.full * (1 + 1e-9));
        assert_true(model.fixed_ns >= 0);
        assert_true(model.unit_ns >= 0);
    }
}

static void line_is_found_through_noise(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct cost_model model = learned(400, 0.1, seed);
        assert_true(cost_model_is_sure(&model));
        for (uint64_t work = 1; work <= FULL; work *= 2)
            assert_near((double)cost_model_ns(&model, work), (double)exact_ns(work), 0.15);
        /* The mean distance of such noise is 0.08, and the line moves with it. */
        assert_near(model.error, 0.1, 0.5);
    }
}

static void outlier_moves_the_line_by_half_of_a_usual_error(void **state)
{
    (void)state;
    for (uint64_t work = 1; work <= 2 * FULL; work++) {
        struct cost_model model = learned(400, 0.1, work);
        const double before_ns = (double)cost_model_ns(&model, work);
        const double error = model.error;
        cost_model_learn(&model, work, 1000 * exact_ns(work));
        const double after_ns = (double)cost_model_ns(&model, work);
        if (after_ns - before_ns > (0.5 * error + 1e-4) * before_ns)
            fail_msg("%g became %g, with a usual error of %g", before_ns, after_ns, error);
        assert_true(after_ns > before_ns);
    }
}

static void lasting_change_is_followed_within_some_twenty_batches(void **state)
{
    (void)state;
    const double factors[] = {3, 1.0 / 3};
    for (size_t i = 0; i < 2; i++) {
        struct cost_model model = learned(400, 0.1, 3);
        for (int n = 0; n < 25; n++)
            cost_model_learn(&model, FULL, (uint64_t)(factors[i] * (double)exact_ns(FULL)));
        assert_near((double)cost_model_ns(&model, FULL), factors[i] * (double)exact_ns(FULL), 0.2);
    }
}

static void full_batches_alone_do_not_forget_small_ones(void **state)
{
    (void)state;
    struct cost_model model = learned(400, 0.1, 4);
    const double before_ns = (double)cost_model_ns(&model, 1);
    struct sim_random random = sim_random_from(4, 1);
    for (int i = 0; i < 10000; i++)
        cost_model_learn(&model, FULL,
                         (uint64_t)((double)exact_ns(FULL) * (1 + 0.1 * sim_draw_normal(&random))));
    assert_near((double)cost_model_ns(&model, 1), before_ns, 0.01);
}

static void model_is_unsure_until_eight_batches_and_while_they_disagree(void **state)
{
    (void)state;
    assert_false(cost_model_is_sure(&(struct cost_model){.seen = 7, .error = 0.1}));
    struct cost_model model = learned(8, 0.05, 5);
    assert_true(cost_model_is_sure(&model));
    for (int i = 0; i < 40; i++)
        cost_model_learn(&model, 8, i % 2 == 0 ? 100000 : 10000000);
    assert_false(cost_model_is_sure(&model));
}

static void whatever_is_learned_times_stay_positive_and_in_proportion(void **state)
{
    (void)state;
    struct sim_random random = sim_random_from(6, 0);
    for (int round = 0; round < 200; round++) {
        struct cost_model model;
        cost_model_init(&model, sim_draw(&random, 1000000));
        for (int i = 0; i < 500; i++) {
            const uint64_t work = sim_draw(&random, UINT64_C(1) << sim_draw(&random, 50));
            const uint64_t run_ns = sim_draw(&random, UINT64_C(1) << sim_draw(&random, 64));
            cost_model_learn(&model, work, run_ns);
            assert_true(isfinite(model.one_ns));
            assert_true(isfinite(model.full_ns));
            assert_true(model.one_ns >= 1);
            assert_true(model.full_ns >= model.one_ns);
            assert_true(model.full_ns <= model.one_ns * model.full * (1 + 1e-9));
            assert_true(model.fixed_ns >= 0);
            assert_true(model.unit_ns >= 0);
            const uint64_t small = 1 + sim_draw(&random, 1000);
            const uint64_t large = small + sim_draw(&random, UINT64_MAX / 2);
            assert_true(cost_model_ns(&model, small) <= cost_model_ns(&model, large));
            assert_true(cost_model_ns(&model, large) <= cost_model_reserve_ns(&model, large));
        }
    }
}

static void no_time_is_over_an_hour(void **state)
{
    (void)state;
    struct cost_model model;
    cost_model_init(&model, 2);
    for (int i = 0; i < 100; i++)
        cost_model_learn(&model, 2, UINT64_MAX);
    assert_in_range(cost_model_ns(&model, UINT64_MAX), 1, COST_NS_MAX);
    assert_in_range(cost_model_reserve_ns(&model, UINT64_MAX), 1, COST_NS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_batch_is_known_at_once),
        cmocka_unit_test(seed_draws_the_line_through_two_batches_whatever_they_took),
        cmocka_unit_test(line_is_found_through_noise),
        cmocka_unit_test(outlier_moves_the_line_by_half_of_a_usual_error),
        cmocka_unit_test(lasting_change_is_followed_within_some_twenty_batches),
        cmocka_unit_test(full_batches_alone_do_not_forget_small_ones),
        cmocka_unit_test(model_is_unsure_until_eight_batches_and_while_they_disagree),
        cmocka_unit_test(whatever_is_learned_times_stay_positive_and_in_proportion),
        cmocka_unit_test(no_time_is_over_an_hour),
    };
    return cmocka_run_group_tests_name("cost_model", tests, NULL, NULL);
}
