/*
 * make_powers.c - prints the table that number_write.c and number_read.c multiply by. Run by
 * the build.
 *
 * For every power of ten that scales a float64, the first 128 bits of it and one
 * more: with 2^e the greatest power of two not above 10^n, floor(10^n * 2^(127-e)) + 1.
 * Exact: plain arithmetic on long integers, no floating point.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* number_write.c multiplies by 10^-k and 10^-(k+1), k = floor(log10(2^q)), q = -1074..971. */
enum {
    POWER_MIN = -293,
    POWER_MAX = 324
};

/* 10^324 has 1077 bits; the division doubles a remainder once beyond that. */
enum {
    WORDS = 36,
    BITS = WORDS * 32
};

struct natural {
    uint32_t words[WORDS]; /* the lowest first */
};

struct bits128 {
    uint64_t high, low;
};

static void multiply(struct natural *n, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)n->words[i] * factor;
        n->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static bool is_below(const struct natural *a, const struct natural *b)
{
    for (int i = WORDS - 1; i >= 0; i--)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i];
    return false;
}

static void subtract(struct natural *a, const struct natural *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        borrow += (int64_t)a->words[i] - (int64_t)b->words[i];
        a->words[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
}

static unsigned bit(const struct natural *n, int index)
{
    return index < 0 ? 0 : n->words[index / 32] >> (index % 32) & 1;
}

static int highest_bit(const struct natural *n)
{
    int index = BITS - 1;
    while (bit(n, index) == 0)
        index--;
    return index;
}

static void push_bit(struct bits128 *number, unsigned bit_value)
{
    number->high = number->high << 1 | number->low >> 63;
    number->low = number->low << 1 | bit_value;
}

static struct bits128 leading_bits(const struct natural *n)
{
    struct bits128 result = {0, 0};
    int highest = highest_bit(n);
    for (int i = 0; i < 128; i++)
        push_bit(&result, bit(n, highest - i));
    return result;
}

/* The first 128 bits of 1/n, by long division; n is not a power of two. */
static struct bits128 leading_bits_of_inverse(const struct natural *n)
{
    struct bits128 result = {0, 0};
    int highest = highest_bit(n);
    struct natural remainder = {.words = {0}};
    remainder.words[highest / 32] = (uint32_t)1 << (highest % 32);
    for (int i = 0; i < 128; i++) {
        multiply(&remainder, 2);
        bool fits = !is_below(&remainder, n);
        if (fits)
            subtract(&remainder, n);
        push_bit(&result, fits);
    }
    return result;
}

static void print_power(int power)
{
    struct natural n = {.words[0] = 1};
    for (int i = 0; i < (power < 0 ? -power : power); i++)
        multiply(&n, 10);
    struct bits128 bits = power < 0 ? leading_bits_of_inverse(&n) : leading_bits(&n);
    bits.low++;
    bits.high += bits.low == 0;
    printf("    {0x%016llx, 0x%016llx}, /* 10^%d */\n", (unsigned long long)bits.high,
           (unsigned long long)bits.low, power);
}

int main(void)
{
    printf("enum { POWER_MIN = %d, POWER_MAX = %d };\n", POWER_MIN, POWER_MAX);
    printf("static const struct power powers[POWER_MAX - POWER_MIN + 1] = {\n");
    for (int power = POWER_MIN; power <= POWER_MAX; power++)
        print_power(power);
    printf("};\n");
    return ferror(stdout) || fflush(stdout) != 0;
}
