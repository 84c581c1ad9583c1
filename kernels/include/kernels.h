/*
 * kernels.h - the arithmetic: indicators in float64, dense layers in float32 and int8.
 *
 *   Threads    every function is pure and may run on any thread at once. None
 *              allocates, logs, reads the environment or keeps state. Dense
 *              layers call OpenBLAS: kernels_blas_single_thread() must have set
 *              it to one thread per call before, and unless
 *              kernels_blas_is_thread_safe(), one call must end before the next.
 *   Shapes     sizes are counts of elements. Matrices are row-major; a batch
 *              is `rows` rows. Weights are [in][out].
 *   Aliasing   outputs overlap no input, unless a function works in place.
 *   Variants   every fast function has a plain C twin in the KERNELS_SCALAR
 *              table, which is the definition of correct.
 *   Input      finite numbers, for indicators at most 1e290 / period, so that no
 *              sum overflows. The caller refuses NaN and infinity; with them the
 *              results are unspecified, but no memory is read or written outside
 *              the arrays.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#define KERNELS_ISA_MAP(X) \
    X(SCALAR, "scalar")    \
    X(AVX2, "avx2")        \
    X(AVX512, "avx512")    \
    X(NEON, "neon")

enum kernels_isa {
#define X(name, text) KERNELS_##name,
    KERNELS_ISA_MAP(X)
#undef X
    KERNELS_ISA_COUNT
};

/* What a packed dense layer does to its sums. */
enum kernels_activation {
    KERNELS_NO_ACTIVATION,
    KERNELS_RELU,
    KERNELS_SIGMOID,
    KERNELS_TANH
};

/* Of an int8 dense layer. VNNI adds up products of at most 255 * 127, and 66311 of them fit into an
 * int32. Of outputs, so that no size overflows. */
#define KERNELS_I8_INPUTS_MAX ((size_t)65536)
#define KERNELS_I8_OUTPUTS_MAX ((size_t)1 << 24)

/* One of a batch of series: `in` and `out` hold `n` elements. */
struct kernels_series {
    const double *in;
    size_t n;
    double *out;
};

/* "avx2". Static; do not free. */
const char *kernels_isa_str(enum kernels_isa isa);

/*
 * One implementation of everything, for one instruction set.
 *
 * Indicators. `in` and `out` hold `n` elements; 1 <= period. The first outputs
 * (the warm-up) are NaN: period-1 of them for SMA and EMA, period for RSI; all
 * of them when n is too short.
 *   sma  the mean of the last `period` values.
 *   ema  e[i] = e[i-1] + alpha (x[i] - e[i-1]), alpha = 2 / (period + 1),
 *        seeded with the SMA of the first `period` values ("classic" in TA-Lib).
 *   rsi  Wilder's relative strength index: 100 gain / (gain + loss), where gain
 *        and loss are the averages of the rises and falls over the first
 *        `period` changes, then smoothed with 1 / period. A flat series gives
 *        0, a rising one 100, a falling one 0 (as TA-Lib has it). Flat is also
 *        what has been flat for so long that both averages faded below 1e-290.
 *
 *   sma_batch, ema_batch, rsi_batch
 *        `count` series, of any lengths, with one period; `in` and `out` of one do
 *        not overlap those of another. Each comes out as if it were alone, to the
 *        last bit; except with AVX-512, EMA of periods 6 to 61 and RSI of up to
 *        16: eight neighbours of about one length, at most 2048, are then smoothed
 *        side by side, and within the bounds below is all that holds. Measured
 *        (Zen 5) against one by one: EMA 1.6x as fast at 100 values, 1.1x at 1000;
 *        RSI 1.5x and 1.03x. SMA has nothing to gain from it.
 *
 * Errors. SMA is within 1e-15 and EMA within 1e-14 of the same mean taken of the
 * magnitudes, RSI within 1e-12 absolute, whatever the period. A spike leaves no
 * trace in SMA once it is out of the window. A constant series gives itself: to
 * the last bit where sums of it are exact (37.25), else within these bounds (0.1).
 *
 * Dense. out[r][o] = sum over i of in[r][i] * weights[i][o], plus bias[o] unless
 * bias is NULL. With rows == 1 this is a matrix-vector product.
 *
 * Packed dense. The same sums over weights that dense_pack() has arranged for this
 * table, with the activation done on the way:
 *     float *packed = aligned_alloc(64, round_up(64, 4 * k->dense_packed_size(in, out)));
 *     k->dense_pack(weights, in, out, packed);           once, at load
 *     k->dense_packed_f32(x, packed, bias, KERNELS_RELU, rows, in, out, y);
 *   dense_packed_size  in floats; at least in * out, there may be padding.
 *   Alignment          `packed` at 64 bytes, or it is slower; the rest as it comes.
 *   Padding            only inside `packed`. Nothing is read or written beyond
 *                      in[rows][in], bias[out] and out[rows][out].
 *   Rows               each is computed as if it were alone: its result has the
 *                      same bits in every batch.
 *   Threads            none of dense_f32's restrictions: no OpenBLAS in it.
 * Packed weights are of no use to another table.
 *
 * Int8 dense. The same layer with weights and inputs rounded to whole numbers of eight
 * bits: a quarter of the memory, and with AVX-512 VNNI four times the peak. With AVX2
 * alone it is about as fast as packed float32 (slower below 16 outputs, faster where the
 * weights do not fit into a cache); in plain C it is slower.
 *     void *packed = aligned_alloc(64, round_up(64, k->dense_i8_size(in, out)));
 *     void *scratch = aligned_alloc(64, round_up(64, k->dense_i8_scratch(rows, in)));
 *     k->dense_i8_pack(weights, in, out, packed);        once, at load
 *     k->dense_i8_f32(x, packed, bias, KERNELS_RELU, rows, in, out, scratch, y);
 *   dense_i8_size      in bytes; 0: more inputs or outputs than KERNELS_I8_..._MAX, or
 *                      no outputs.
 *   dense_i8_scratch   in bytes, for so many rows or fewer; one for each call under way.
 *   Alignment          `packed` at 64 bytes, or it is slower; both at 4 at least.
 *   Scales             of each column of weights, when packed: -127 to 127 are its largest
 *                      magnitude. Of each row of inputs, in every call: 254 steps from its
 *                      lowest number to its highest, 0 included. Rows and columns with
 *                      nothing from 1e-30 on count as zeros: the result is the bias.
 *   Result             activation(sum * (row scale * column scale) + bias): an exact int32
 *                      sum, then floats, each operation rounded. The same bits from
 *                      every table (sigmoid and tanh aside) and in every batch.
 *   Error              about 6e-3 of a row's largest |output| for even numbers, 9e-3 when
 *                      inputs are normal and 1.2e-2 when weights are too; never above
 *                      in_size * max|x| * max|w| / 126. An outlier makes the steps of its
 *                      whole row or column coarser.
 *   Threads, padding   as packed dense. Packed int8 weights serve every table.
 *
 * Activations work in place on `n` elements; softmax on each row of `rows` x
 * `cols`, shifted by the row's maximum. Sigmoid and tanh are within 2e-7 of what they
 * are, softmax within 3e-7 once its row is shifted, relatively; except below 1e-38.
 */
struct kernels {
    enum kernels_isa isa;
    unsigned simd_bits; /* register width; 64 for scalar */
    void (*sma_f64)(const double *restrict in, size_t n, size_t period, double *restrict out);
    void (*ema_f64)(const double *restrict in, size_t n, size_t period, double *restrict out);
    void (*rsi_f64)(const double *restrict in, size_t n, size_t period, double *restrict out);
    void (*sma_batch_f64)(const struct kernels_series *series, size_t count, size_t period);
    void (*ema_batch_f64)(const struct kernels_series *series, size_t count, size_t period);
    void (*rsi_batch_f64)(const struct kernels_series *series, size_t count, size_t period);
    void (*dense_f32)(const float *restrict in, const float *restrict weights,
                      const float *restrict bias, size_t rows, size_t in_size, size_t out_size,
                      float *restrict out);
    size_t (*dense_packed_size)(size_t in_size, size_t out_size);
    void (*dense_pack)(const float *restrict weights, size_t in_size, size_t out_size,
                       float *restrict packed);
    void (*dense_packed_f32)(const float *restrict in, const float *restrict packed,
                             const float *restrict bias, enum kernels_activation activation,
                             size_t rows, size_t in_size, size_t out_size, float *restrict out);
    const char *dense_i8_isa; /* "avx512vnni", "avx2" or "scalar": it need not be the table's */
    size_t (*dense_i8_size)(size_t in_size, size_t out_size);
    void (*dense_i8_pack)(const float *restrict weights, size_t in_size, size_t out_size,
                          void *restrict packed);
    size_t (*dense_i8_scratch)(size_t rows, size_t in_size);
    void (*dense_i8_f32)(const float *restrict in, const void *restrict packed,
                         const float *restrict bias, enum kernels_activation activation,
                         size_t rows, size_t in_size, size_t out_size, void *restrict scratch,
                         float *restrict out);
    void (*relu_f32)(float *x, size_t n);
    void (*sigmoid_f32)(float *x, size_t n);
    void (*tanh_f32)(float *x, size_t n);
    void (*softmax_f32)(float *x, size_t rows, size_t cols);
};

/* The table of one instruction set; NULL when it was not compiled in or this
 * processor lacks it. KERNELS_SCALAR is always there. */
const struct kernels *kernels_for(enum kernels_isa isa);

/* The fastest table that this processor runs. Never NULL. Where that is plain C, its dense layers
 * are nevertheless OpenBLAS's; those of kernels_for(KERNELS_SCALAR) never are. */
const struct kernels *kernels_best(void);

/* From its name ("avx2"). False when the name is unknown; *out is untouched. */
bool kernels_isa_parse(const char *name, enum kernels_isa *out);

/* Keeps OpenBLAS on the calling thread. Once, before the first dense_f32. */
void kernels_blas_single_thread(void);

/* Whether dense_f32 of tables other than KERNELS_SCALAR may run on several threads at once. False
 * for an OpenBLAS that was built without threads, as Debian's libopenblas-serial is: its buffers
 * have no lock, and calls that overlap now and then give wrong numbers. */
bool kernels_blas_is_thread_safe(void);

/* What OpenBLAS says of itself ("OpenBLAS 0.3.21 ... SkylakeX"). Static. */
const char *kernels_blas_description(void);

#endif
