/*
 * recorder.c - see recorder.h.
 */
#include "recorder.h"

#include <string.h>

static void reset_histograms(struct recorder *r)
{
    histogram_reset(&r->latency);
    histogram_reset(&r->errors);
    histogram_reset(&r->service);
    histogram_reset(&r->lag);
    histogram_reset(&r->wait);
    for (size_t i = 0; i < TIMING_PARTS; i++)
        histogram_reset(&r->parts[i]);
    for (size_t i = 0; i < WORKLOAD_KINDS_MAX; i++)
        histogram_reset(&r->kinds[i].latency);
}

void recorder_reset(struct recorder *r)
{
    memset(r, 0, sizeof *r);
    reset_histograms(r);
}

/* --- Codes. */

static bool is_code(const struct recorder_code *known, unsigned status, const char *code)
{
    return known->status == status && strcmp(known->code, code) == 0;
}

static void count_code(struct recorder *r, unsigned status, const char *code, uint64_t count)
{
    for (size_t i = 0; i < r->code_count; i++)
        if (is_code(&r->codes[i], status, code)) {
            r->codes[i].count += count;
            return;
        }
    if (r->code_count == RECORDER_CODES_MAX) {
        r->codes[RECORDER_CODES_MAX - 1].count += count;
        return;
    }
    const bool last = r->code_count == RECORDER_CODES_MAX - 1;
    struct recorder_code *added = &r->codes[r->code_count++];
    *added = (struct recorder_code){.status = last ? 0 : status, .count = count};
    strcpy(added->code, last ? "other" : code);
}

static void count_error(struct recorder *r, const struct answer *answer)
{
    char code[RECORDER_CODE_BYTES_MAX];
    if (!response_error_code(answer->body, answer->body_bytes, code, sizeof code))
        code[0] = '\0';
    count_code(r, answer->status, code, 1);
}

/* --- One request. */

void recorder_sent(struct recorder *r, const struct workload_request *request,
                   const struct recorder_times *times)
{
    r->due++;
    r->kinds[request->kind].due++;
    r->invalid += request->invalid;
    r->bytes_out += request->bytes;
    histogram_record(&r->lag, times->sent_ns - times->sendable_ns);
    if (times->sendable_ns > times->intended_ns)
        histogram_record(&r->wait, times->sendable_ns - times->intended_ns);
}

void recorder_unsent(struct recorder *r)
{
    r->due++;
    r->unsent++;
}

static void count_timing(struct recorder *r, const struct answer *answer)
{
    if (answer->timing.known)
        for (size_t i = 0; i < TIMING_PARTS; i++)
            histogram_record(&r->parts[i], answer->timing.part_ns[i]);
    if (answer->batch_size > 0)
        r->batches[answer->batch_size < RECORDER_BATCH_MAX ? answer->batch_size
                                                           : RECORDER_BATCH_MAX]++;
}

void recorder_answered(struct recorder *r, const struct workload_request *request,
                       const struct recorder_times *times, const struct answer *answer,
                       uint64_t now_ns, uint64_t slo_ns)
{
    const uint64_t latency_ns = now_ns - times->intended_ns;
    r->answered++;
    r->bytes_in += answer->body_bytes_total;
    r->statuses[answer->status < RECORDER_STATUSES ? answer->status : 0]++;
    if (answer->status < 200 || answer->status >= 300) {
        r->invalid_refused += request->invalid && answer->status >= 400 && answer->status < 500;
        histogram_record(&r->errors, latency_ns);
        return count_error(r, answer);
    }
    r->ok++;
    r->ok_within_slo += slo_ns == 0 || latency_ns <= slo_ns;
    r->kinds[request->kind].ok++;
    histogram_record(&r->latency, latency_ns);
    histogram_record(&r->kinds[request->kind].latency, latency_ns);
    histogram_record(&r->service, now_ns - times->sent_ns);
    count_timing(r, answer);
}

/* --- All of them. */

static void add_histograms(struct recorder *r, const struct recorder *other)
{
    histogram_add(&r->latency, &other->latency);
    histogram_add(&r->errors, &other->errors);
    histogram_add(&r->service, &other->service);
    histogram_add(&r->lag, &other->lag);
    histogram_add(&r->wait, &other->wait);
    for (size_t i = 0; i < TIMING_PARTS; i++)
        histogram_add(&r->parts[i], &other->parts[i]);
}

static void add_outcomes(struct recorder *r, const struct recorder *other)
{
    r->due += other->due;
    r->answered += other->answered;
    r->lost += other->lost;
    r->abandoned += other->abandoned;
    r->unanswered += other->unanswered;
    r->unsent += other->unsent;
    r->ok += other->ok;
    r->ok_within_slo += other->ok_within_slo;
    r->invalid += other->invalid;
    r->invalid_refused += other->invalid_refused;
    r->bytes_in += other->bytes_in;
    r->bytes_out += other->bytes_out;
}

void recorder_add(struct recorder *r, const struct recorder *other)
{
    add_outcomes(r, other);
    add_histograms(r, other);
    for (size_t i = 0; i < RECORDER_STATUSES; i++)
        r->statuses[i] += other->statuses[i];
    for (size_t i = 0; i < other->code_count; i++)
        count_code(r, other->codes[i].status, other->codes[i].code, other->codes[i].count);
    for (size_t i = 0; i <= RECORDER_BATCH_MAX; i++)
        r->batches[i] += other->batches[i];
    for (size_t i = 0; i < WORKLOAD_KINDS_MAX; i++) {
        r->kinds[i].due += other->kinds[i].due;
        r->kinds[i].ok += other->kinds[i].ok;
        histogram_add(&r->kinds[i].latency, &other->kinds[i].latency);
    }
}

double recorder_batch_mean(const struct recorder *r)
{
    uint64_t answers = 0;
    double batches = 0;
    for (size_t i = 1; i <= RECORDER_BATCH_MAX; i++) {
        answers += r->batches[i];
        batches += (double)r->batches[i] / (double)i;
    }
    return answers > 0 ? (double)answers / batches : 0;
}

unsigned recorder_batch_max(const struct recorder *r)
{
    for (unsigned i = RECORDER_BATCH_MAX; i > 0; i--)
        if (r->batches[i] > 0)
            return i;
    return 0;
}
