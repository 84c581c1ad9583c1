/*
 * number_places.h - where the numbers of an array are, by masks of 64 bytes; for the vector
 * variants of number_scan.h, which bring the masks and the way to unpack them.
 *
 * A block begins where a number may. What is looked at ends with its last comma, and the next
 * block begins behind that, so that no number is seen in two parts. All numbers of a block
 * have their form checked at once, by a few operations on its masks.
 */
#ifndef NUMBER_PLACES_H
#define NUMBER_PLACES_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left in memory between the steps costs more than the steps. */
#define INLINE static inline __attribute__((always_inline))

enum {
    BLOCK = 64,
    BLOCKS_MAX = 8,
    PIECE_NUMBERS_MAX = BLOCKS_MAX * BLOCK / 2 /* a digit and a comma each */
};

/* Places of a piece's numbers. What is stored is always a whole block of them. */
struct places {
    uint16_t start[PIECE_NUMBERS_MAX + BLOCK];
    uint16_t end[PIECE_NUMBERS_MAX + BLOCK];
};

/* Which bytes are what; a byte that is in none of these is a space. */
struct block {
    uint64_t digit, zero, point, minus, comma;
    uint64_t more;  /* what else is in numbers: e, E and '+' */
    uint64_t other; /* what is not in arrays of numbers */
};

typedef struct block look_fn(const char *at);
/* The places of the set bits, behind one another, with `base` added. */
typedef void store_fn(uint16_t *out, uint64_t bits, size_t base);

/* All bits up to the highest one. */
INLINE uint64_t up_to_highest(uint64_t bits)
{
    return bits == 0 ? 0 : ~UINT64_C(0) >> __builtin_clzll(bits);
}

/* A number starts, a comma comes, and so on until the last comma. */
INLINE bool alternate(uint64_t starts, uint64_t commas)
{
    uint64_t order = _pext_u64(starts, starts | commas);
    unsigned count = (unsigned)_mm_popcnt_u64(commas);
    return order == _bzhi_u64(UINT64_C(0x5555555555555555), 2 * count);
}

/* Whether all numbers are -? (0 | [1-9][0-9]*) (. [0-9]+)? */
INLINE bool are_plain(struct block b, uint64_t start, uint64_t inside)
{
    uint64_t sign = b.minus & start;
    uint64_t first = (start ^ sign) | sign << 1;
    uint64_t wrong = b.more | (b.minus ^ sign) | (first & ~b.digit);
    wrong |= (first & b.zero) << 1 & b.digit;
    wrong |= (b.point & ~(b.digit << 1)) | (b.point << 1 & ~b.digit);
    uint64_t point = b.point & inside;
    uint64_t order = _pext_u64(point, point | start); /* no two points without a start */
    return (wrong & inside) == 0 && (order & order << 1) == 0;
}

/* A piece of the array. */
struct found {
    size_t count;  /* numbers with a comma behind them */
    size_t next;   /* behind the last of those commas */
    bool is_plain; /* otherwise they may have any form, or none */
    bool is_last;  /* there is no use in looking further */
};

/* `look` and `store` are known when compiling. */
INLINE struct found find_numbers(const char *text, struct places *places, size_t max, look_fn *look,
                                 store_fn *store)
{
    struct found found = {.is_plain = true};
    for (int i = 0; i < BLOCKS_MAX; i++) {
        struct block b = look(text + found.next);
        uint64_t known = (b.other & -b.other) - 1; /* all, if there are no others */
        uint64_t inside = up_to_highest(b.comma & known), comma = b.comma & inside;
        uint64_t number = (b.digit | b.point | b.minus | b.more) & inside;
        uint64_t start = number & ~(number << 1), end = ~number & number << 1;
        size_t count = found.count + (size_t)_mm_popcnt_u64(comma);
        if (comma == 0 || count > max || !alternate(start, comma)) {
            found.is_last = true;
            break;
        }
        if (!are_plain(b, start, inside)) {
            /* Alone in its piece. */
            if (found.count > 0)
                break;
            found.is_plain = false;
        }
        store(places->start + found.count, start, found.next);
        store(places->end + found.count, end, found.next);
        found.count = count;
        found.next += (size_t)_mm_popcnt_u64(inside);
        if (!found.is_plain)
            break;
    }
    /* For who takes eight at a time: the last byte of the last number, again and again. */
    short end = found.count > 0 ? (short)places->end[found.count - 1] : 1;
    __m128i *starts = (__m128i *)(void *)(places->start + found.count);
    __m128i *ends = (__m128i *)(void *)(places->end + found.count);
    _mm_storeu_si128(starts, _mm_set1_epi16((short)(end - 1)));
    _mm_storeu_si128(ends, _mm_set1_epi16(end));
    return found;
}

#endif
