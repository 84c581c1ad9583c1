/*
 * kernels.c - the tables, and which of them this processor can run.
 */
#include "kernels.h"

#include <string.h>

#include "variants.h"

/* Packed int8 weights are the same for every variant. */
#define DENSE_I8(variant, isa)                                                                   \
    .dense_i8_isa = isa, .dense_i8_size = dense_i8_size_ref, .dense_i8_pack = dense_i8_pack_ref, \
    .dense_i8_scratch = dense_i8_scratch_##variant, .dense_i8_f32 = dense_i8_f32_##variant

static const struct kernels scalar_table = {
    .isa = KERNELS_SCALAR,
    .simd_bits = 64,
    .sma_f64 = sma_f64_ref,
    .ema_f64 = ema_f64_ref,
    .rsi_f64 = rsi_f64_ref,
    .sma_batch_f64 = sma_batch_f64_ref,
    .ema_batch_f64 = ema_batch_f64_ref,
    .rsi_batch_f64 = rsi_batch_f64_ref,
    .dense_f32 = dense_f32_ref,
    .dense_packed_size = dense_packed_size_ref,
    .dense_pack = dense_pack_ref,
    .dense_packed_f32 = dense_packed_f32_ref,
    DENSE_I8(ref, "scalar"),
    .relu_f32 = relu_f32_ref,
    .sigmoid_f32 = sigmoid_f32_ref,
    .tanh_f32 = tanh_f32_ref,
    .softmax_f32 = softmax_f32_ref,
};

/* Where no table of ours fits, OpenBLAS still has a fast kernel for the processor. */
static const struct kernels portable_table = {
    .isa = KERNELS_SCALAR,
    .simd_bits = 64,
    .sma_f64 = sma_f64_ref,
    .ema_f64 = ema_f64_ref,
    .rsi_f64 = rsi_f64_ref,
    .sma_batch_f64 = sma_batch_f64_ref,
    .ema_batch_f64 = ema_batch_f64_ref,
    .rsi_batch_f64 = rsi_batch_f64_ref,
    .dense_f32 = dense_f32_blas,
    .dense_packed_size = dense_packed_size_ref,
    .dense_pack = dense_pack_ref,
    .dense_packed_f32 = dense_packed_f32_ref,
    DENSE_I8(ref, "scalar"),
    .relu_f32 = relu_f32_ref,
    .sigmoid_f32 = sigmoid_f32_ref,
    .tanh_f32 = tanh_f32_ref,
    .softmax_f32 = softmax_f32_ref,
};

#ifdef KERNELS_HAVE_AVX2
static const struct kernels avx2_table = {
    .isa = KERNELS_AVX2,
    .simd_bits = 256,
    .sma_f64 = sma_f64_avx2,
    .ema_f64 = ema_f64_avx2,
    .rsi_f64 = rsi_f64_avx2,
    .sma_batch_f64 = sma_batch_f64_avx2,
    .ema_batch_f64 = ema_batch_f64_avx2,
    .rsi_batch_f64 = rsi_batch_f64_avx2,
    .dense_f32 = dense_f32_blas,
    .dense_packed_size = dense_packed_size_avx2,
    .dense_pack = dense_pack_avx2,
    .dense_packed_f32 = dense_packed_f32_avx2,
    DENSE_I8(avx2, "avx2"),
    .relu_f32 = relu_f32_avx2,
    .sigmoid_f32 = sigmoid_f32_avx2,
    .tanh_f32 = tanh_f32_avx2,
    .softmax_f32 = softmax_f32_avx2,
};

/* Asks the processor and the operating system, which must save the wide registers. */
static const struct kernels *avx2_if_supported(void)
{
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &avx2_table;
    return NULL;
}
#else
static const struct kernels *avx2_if_supported(void)
{
    return NULL;
}
#endif

#ifdef KERNELS_HAVE_AVX512
/* clang-format off */
#define AVX512_BUT_INT8                            \
    .isa = KERNELS_AVX512,                         \
    .simd_bits = 512,                              \
    .sma_f64 = sma_f64_avx512,                     \
    .ema_f64 = ema_f64_avx512,                     \
    .rsi_f64 = rsi_f64_avx512,                     \
    .sma_batch_f64 = sma_batch_f64_avx512,         \
    .ema_batch_f64 = ema_batch_f64_avx512,         \
    .rsi_batch_f64 = rsi_batch_f64_avx512,         \
    .dense_f32 = dense_f32_blas,                   \
    .dense_packed_size = dense_packed_size_avx512, \
    .dense_pack = dense_pack_avx512,               \
    .dense_packed_f32 = dense_packed_f32_avx512,   \
    .relu_f32 = relu_f32_avx512,                   \
    .sigmoid_f32 = sigmoid_f32_avx512,             \
    .tanh_f32 = tanh_f32_avx512,                   \
    .softmax_f32 = softmax_f32_avx512
/* clang-format on */

/* VNNI came after the rest of what the other functions use: some processors lack it. */
static const struct kernels avx512_table = {AVX512_BUT_INT8, DENSE_I8(avx2, "avx2")};
static const struct kernels avx512_vnni_table = {AVX512_BUT_INT8, DENSE_I8(avx512, "avx512vnni")};

static const struct kernels *avx512_if_supported(void)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && avx2_if_supported() != NULL)
        return __builtin_cpu_supports("avx512vnni") ? &avx512_vnni_table : &avx512_table;
    return NULL;
}
#else
static const struct kernels *avx512_if_supported(void)
{
    return NULL;
}
#endif

const struct kernels *kernels_for(enum kernels_isa isa)
{
    switch (isa) {
    case KERNELS_SCALAR:
        return &scalar_table;
    case KERNELS_AVX2:
        return avx2_if_supported();
    case KERNELS_AVX512:
        return avx512_if_supported();
    case KERNELS_NEON:
    case KERNELS_ISA_COUNT:
        return NULL;
    }
    return NULL;
}

const struct kernels *kernels_best(void)
{
    for (unsigned isa = KERNELS_ISA_COUNT; isa-- > KERNELS_SCALAR + 1;) {
        const struct kernels *table = kernels_for((enum kernels_isa)isa);
        if (table != NULL)
            return table;
    }
    return &portable_table;
}

const char *kernels_isa_str(enum kernels_isa isa)
{
    switch (isa) {
#define X(name, text)    \
    case KERNELS_##name: \
        return text;
        KERNELS_ISA_MAP(X)
#undef X
    case KERNELS_ISA_COUNT:
        break;
    }
    return "unknown";
}

bool kernels_isa_parse(const char *name, enum kernels_isa *out)
{
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        if (strcmp(name, kernels_isa_str((enum kernels_isa)isa)) == 0) {
            *out = (enum kernels_isa)isa;
            return true;
        }
    }
    return false;
}
