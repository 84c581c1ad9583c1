/*
 * metrics_table.h - every family the service exports, and every value a label can have.
 *
 * The one place that defines them: the registry, the exposition and
 * docs/metrics.md are made from these lists. Each list is an X-macro; each
 * closed set of label values is also an enum.
 *
 * A family's enumerator is METRICS_ and its name in capitals. Adding or moving
 * a bucket bound is a breaking change for whoever queries quantiles.
 */
#ifndef METRICS_TABLE_H
#define METRICS_TABLE_H

#include "base.h"

/* 1, as histograms of ratios count it. */
#define METRICS_RATIO_ONE UINT64_C(100000000000000000)

/* clang-format off */

/* --- Label values: X(enumerator, text) --- */

#define METRICS_ROUTE_MAP(X)                                         \
    X(METRICS_ROUTE_PREDICT,   "/v1/models/{model}:predict")         \
    X(METRICS_ROUTE_MODELS,    "/v1/models")                         \
    X(METRICS_ROUTE_MODEL,     "/v1/models/{model}")                 \
    X(METRICS_ROUTE_INDICATOR, "/v1/indicators/{indicator}")         \
    X(METRICS_ROUTE_CONFIG,    "/v1/config")                         \
    X(METRICS_ROUTE_BATCHING,  "/v1/batching")                       \
    X(METRICS_ROUTE_QUEUE,     "/v1/batching/{queue}")               \
    X(METRICS_ROUTE_RECENT,    "/v1/batching/{queue}/recent")        \
    X(METRICS_ROUTE_SELFTEST,  "/v1/selftest")                       \
    X(METRICS_ROUTE_HEALTH,    "/health")                            \
    X(METRICS_ROUTE_LIVE,      "/v2/health/live")                    \
    X(METRICS_ROUTE_READY,     "/v2/health/ready")                   \
    X(METRICS_ROUTE_METRICS,   "/metrics")                           \
    X(METRICS_ROUTE_PAGE,      "/")                                  \
    X(METRICS_ROUTE_OTHER,     "other")

#define METRICS_METHOD_MAP(X)          \
    X(METRICS_METHOD_GET,   "GET")     \
    X(METRICS_METHOD_POST,  "POST")    \
    X(METRICS_METHOD_OTHER, "other")

/* With the status itself; see metrics_code_index(). 499: the client went away. */
#define METRICS_CODE_MAP(X)            \
    X(METRICS_CODE_200, "200", 200)    \
    X(METRICS_CODE_202, "202", 202)    \
    X(METRICS_CODE_400, "400", 400)    \
    X(METRICS_CODE_401, "401", 401)    \
    X(METRICS_CODE_403, "403", 403)    \
    X(METRICS_CODE_404, "404", 404)    \
    X(METRICS_CODE_405, "405", 405)    \
    X(METRICS_CODE_408, "408", 408)    \
    X(METRICS_CODE_409, "409", 409)    \
    X(METRICS_CODE_412, "412", 412)    \
    X(METRICS_CODE_413, "413", 413)    \
    X(METRICS_CODE_414, "414", 414)    \
    X(METRICS_CODE_415, "415", 415)    \
    X(METRICS_CODE_417, "417", 417)    \
    X(METRICS_CODE_429, "429", 429)    \
    X(METRICS_CODE_431, "431", 431)    \
    X(METRICS_CODE_499, "499", 499)    \
    X(METRICS_CODE_500, "500", 500)    \
    X(METRICS_CODE_501, "501", 501)    \
    X(METRICS_CODE_503, "503", 503)    \
    X(METRICS_CODE_504, "504", 504)    \
    X(METRICS_CODE_505, "505", 505)    \
    X(METRICS_CODE_OTHER, "other", 0)

#define METRICS_CONNECTION_MAP(X)                              \
    X(METRICS_CONNECTION_ACCEPTED,       "accepted")           \
    X(METRICS_CONNECTION_REJECTED_LIMIT, "rejected_limit")     \
    X(METRICS_CONNECTION_REJECTED_TLS,   "rejected_tls")

#define METRICS_PROTOCOL_ERROR_MAP(X)                                  \
    X(METRICS_PROTOCOL_ERROR_BAD_REQUEST_LINE, "bad_request_line")     \
    X(METRICS_PROTOCOL_ERROR_BAD_HEADER,       "bad_header")           \
    X(METRICS_PROTOCOL_ERROR_BAD_CHUNK,        "bad_chunk")            \
    X(METRICS_PROTOCOL_ERROR_SMUGGLING,        "smuggling")            \
    X(METRICS_PROTOCOL_ERROR_TOO_LARGE,        "too_large")            \
    X(METRICS_PROTOCOL_ERROR_TIMEOUT_HEADER,   "timeout_header")       \
    X(METRICS_PROTOCOL_ERROR_TIMEOUT_BODY,     "timeout_body")         \
    X(METRICS_PROTOCOL_ERROR_RESET,            "reset")

#define METRICS_REQUEST_STATUS_MAP(X)                      \
    X(METRICS_REQUEST_STATUS_SUCCESS,   "success")         \
    X(METRICS_REQUEST_STATUS_ERROR,     "error")           \
    X(METRICS_REQUEST_STATUS_TIMEOUT,   "timeout")         \
    X(METRICS_REQUEST_STATUS_REJECTED,  "rejected")        \
    X(METRICS_REQUEST_STATUS_CANCELLED, "cancelled")

#define METRICS_PLACE_MAP(X)                \
    X(METRICS_PLACE_WORKER, "worker")       \
    X(METRICS_PLACE_LOOP,   "loop")

#define METRICS_OUTCOME_MAP(X)                 \
    X(METRICS_OUTCOME_SUCCESS, "success")      \
    X(METRICS_OUTCOME_ERROR,   "error")

/* In the order of enum batcher_reason. */
#define METRICS_FLUSH_MAP(X)                   \
    X(METRICS_FLUSH_SIZE,     "size")          \
    X(METRICS_FLUSH_IDLE,     "idle")          \
    X(METRICS_FLUSH_TIMEOUT,  "timeout")       \
    X(METRICS_FLUSH_DEADLINE, "deadline")      \
    X(METRICS_FLUSH_DRAIN,    "drain")

#define METRICS_REJECTION_MAP(X)                                       \
    X(METRICS_REJECTION_QUEUE_FULL,          "queue_full")             \
    X(METRICS_REJECTION_DEADLINE_UNMEETABLE, "deadline_unmeetable")    \
    X(METRICS_REJECTION_SHUTTING_DOWN,       "shutting_down")          \
    X(METRICS_REJECTION_INVALID,             "invalid")                \
    X(METRICS_REJECTION_TOO_LARGE,           "too_large")              \
    X(METRICS_REJECTION_TENANT_FULL,         "tenant_full")            \
    X(METRICS_REJECTION_LATENCY_TARGET,      "latency_target")

#define METRICS_DEADLINE_STAGE_MAP(X)                  \
    X(METRICS_DEADLINE_STAGE_QUEUE,   "queue")         \
    X(METRICS_DEADLINE_STAGE_EXECUTE, "execute")       \
    X(METRICS_DEADLINE_STAGE_RESPOND, "respond")

/* Where the time of an answered request went, as Server-Timing names it. */
#define METRICS_STAGE_MAP(X)                   \
    X(METRICS_STAGE_PARSE,   "parse")          \
    X(METRICS_STAGE_QUEUE,   "queue")          \
    X(METRICS_STAGE_COMPUTE, "compute")        \
    X(METRICS_STAGE_WRITE,   "write")

/* In the order of enum batcher_class. */
#define METRICS_CLASS_MAP(X)                           \
    X(METRICS_CLASS_INTERACTIVE, "interactive")        \
    X(METRICS_CLASS_BATCH,       "batch")

#define METRICS_ROWS_MAP(X)                    \
    X(METRICS_ROWS_REAL,    "real")            \
    X(METRICS_ROWS_PADDING, "padding")

#define METRICS_ACTION_MAP(X)                          \
    X(METRICS_ACTION_COMPUTE_SMA, "compute_sma")       \
    X(METRICS_ACTION_COMPUTE_EMA, "compute_ema")       \
    X(METRICS_ACTION_COMPUTE_RSI, "compute_rsi")       \
    X(METRICS_ACTION_PREDICT,     "predict")

#define METRICS_INDICATOR_MAP(X)                      \
    X(METRICS_INDICATOR_SMA,         "sma")           \
    X(METRICS_INDICATOR_EMA,         "ema")           \
    X(METRICS_INDICATOR_RSI,         "rsi")           \
    X(METRICS_INDICATOR_MATMUL,      "matmul")        \
    X(METRICS_INDICATOR_MATMUL_INT8, "matmul_int8")

/* The twin was recomputed; see verifier.h. */
#define METRICS_CHECK_MAP(X)                   \
    X(METRICS_CHECK_PASS, "pass")              \
    X(METRICS_CHECK_FAIL, "fail")

#define METRICS_UNCHECKED_MAP(X)                       \
    X(METRICS_UNCHECKED_BUSY,      "busy")             \
    X(METRICS_UNCHECKED_TOO_LARGE, "too_large")        \
    X(METRICS_UNCHECKED_UNBOUNDED, "unbounded")

#define METRICS_ROLLBACK_MAP(X)                        \
    X(METRICS_ROLLBACK_VERIFICATION, "verification")

/* The `code` of the JSON error body; see metrics_error_index(). */
#define METRICS_ERROR_MAP(X)                                                   \
    X(METRICS_ERROR_INVALID_JSON,           "invalid_json")                    \
    X(METRICS_ERROR_INVALID_NUMBER,         "invalid_number")                  \
    X(METRICS_ERROR_NUMBER_OUT_OF_RANGE,    "number_out_of_range")             \
    X(METRICS_ERROR_NUMBER_TOO_LONG,        "number_too_long")                 \
    X(METRICS_ERROR_UNKNOWN_FIELD,          "unknown_field")                   \
    X(METRICS_ERROR_MISSING_FIELD,          "missing_field")                   \
    X(METRICS_ERROR_DUPLICATE_FIELD,        "duplicate_field")                 \
    X(METRICS_ERROR_WRONG_TYPE,             "wrong_type")                      \
    X(METRICS_ERROR_INVALID_SHAPE,          "invalid_shape")                   \
    X(METRICS_ERROR_INVALID_PARAMETER,      "invalid_parameter")               \
    X(METRICS_ERROR_EMPTY_INPUT,            "empty_input")                     \
    X(METRICS_ERROR_TOO_MANY_ROWS,          "too_many_rows")                   \
    X(METRICS_ERROR_TOO_MANY_POINTS,        "too_many_points")                 \
    X(METRICS_ERROR_TOO_DEEP,               "too_deep")                        \
    X(METRICS_ERROR_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")          \
    X(METRICS_ERROR_UNSUPPORTED_ENCODING,   "unsupported_encoding")            \
    X(METRICS_ERROR_MODEL_NOT_FOUND,        "model_not_found")                 \
    X(METRICS_ERROR_MODEL_NOT_READY,        "model_not_ready")                 \
    X(METRICS_ERROR_OVERLOADED,             "overloaded")                      \
    X(METRICS_ERROR_TENANT_OVERLOADED,      "tenant_overloaded")               \
    X(METRICS_ERROR_DRAINING,               "draining")                        \
    X(METRICS_ERROR_DEADLINE_EXCEEDED,      "deadline_exceeded")               \
    X(METRICS_ERROR_EXECUTION_FAILED,       "execution_failed")                \
    X(METRICS_ERROR_OUT_OF_MEMORY,          "out_of_memory")                   \
    X(METRICS_ERROR_OTHER,                  "other")

/* In the order of enum kernels_isa. */
#define METRICS_ISA_MAP(X)                     \
    X(METRICS_ISA_SCALAR, "scalar")            \
    X(METRICS_ISA_AVX2,   "avx2")              \
    X(METRICS_ISA_AVX512, "avx512")            \
    X(METRICS_ISA_NEON,   "neon")

/* Who changed how a queue batches. */
#define METRICS_CHANGE_MAP(X)                  \
    X(METRICS_CHANGE_API,  "api")              \
    X(METRICS_CHANGE_FILE, "file")

/* What a speed-up is measured against. */
#define METRICS_BASELINE_MAP(X)                \
    X(METRICS_BASELINE_SCALAR, "scalar")       \
    X(METRICS_BASELINE_PYTHON, "python")

/* In the order of enum log_level. */
#define METRICS_LEVEL_MAP(X)                   \
    X(METRICS_LEVEL_DEBUG, "debug")            \
    X(METRICS_LEVEL_INFO,  "info")             \
    X(METRICS_LEVEL_WARN,  "warn")             \
    X(METRICS_LEVEL_ERROR, "error")

#define METRICS_VALUE(enumerator, ...) enumerator,
enum metrics_route { METRICS_ROUTE_MAP(METRICS_VALUE) METRICS_ROUTE_COUNT };
enum metrics_method { METRICS_METHOD_MAP(METRICS_VALUE) METRICS_METHOD_COUNT };
enum metrics_code { METRICS_CODE_MAP(METRICS_VALUE) METRICS_CODE_COUNT };
enum metrics_connection { METRICS_CONNECTION_MAP(METRICS_VALUE) METRICS_CONNECTION_COUNT };
enum metrics_protocol_error { METRICS_PROTOCOL_ERROR_MAP(METRICS_VALUE) METRICS_PROTOCOL_ERROR_COUNT };
enum metrics_request_status { METRICS_REQUEST_STATUS_MAP(METRICS_VALUE) METRICS_REQUEST_STATUS_COUNT };
enum metrics_place { METRICS_PLACE_MAP(METRICS_VALUE) METRICS_PLACE_COUNT };
enum metrics_outcome { METRICS_OUTCOME_MAP(METRICS_VALUE) METRICS_OUTCOME_COUNT };
enum metrics_flush { METRICS_FLUSH_MAP(METRICS_VALUE) METRICS_FLUSH_COUNT };
enum metrics_rejection { METRICS_REJECTION_MAP(METRICS_VALUE) METRICS_REJECTION_COUNT };
enum metrics_deadline_stage { METRICS_DEADLINE_STAGE_MAP(METRICS_VALUE) METRICS_DEADLINE_STAGE_COUNT };
enum metrics_stage { METRICS_STAGE_MAP(METRICS_VALUE) METRICS_STAGE_COUNT };
enum metrics_class { METRICS_CLASS_MAP(METRICS_VALUE) METRICS_CLASS_COUNT };
enum metrics_rows { METRICS_ROWS_MAP(METRICS_VALUE) METRICS_ROWS_COUNT };
enum metrics_action { METRICS_ACTION_MAP(METRICS_VALUE) METRICS_ACTION_COUNT };
enum metrics_indicator { METRICS_INDICATOR_MAP(METRICS_VALUE) METRICS_INDICATOR_COUNT };
enum metrics_check { METRICS_CHECK_MAP(METRICS_VALUE) METRICS_CHECK_COUNT };
enum metrics_unchecked { METRICS_UNCHECKED_MAP(METRICS_VALUE) METRICS_UNCHECKED_COUNT };
enum metrics_rollback { METRICS_ROLLBACK_MAP(METRICS_VALUE) METRICS_ROLLBACK_COUNT };
enum metrics_error { METRICS_ERROR_MAP(METRICS_VALUE) METRICS_ERROR_COUNT };
enum metrics_isa { METRICS_ISA_MAP(METRICS_VALUE) METRICS_ISA_COUNT };
enum metrics_change { METRICS_CHANGE_MAP(METRICS_VALUE) METRICS_CHANGE_COUNT };
enum metrics_baseline { METRICS_BASELINE_MAP(METRICS_VALUE) METRICS_BASELINE_COUNT };
enum metrics_level { METRICS_LEVEL_MAP(METRICS_VALUE) METRICS_LEVEL_COUNT };
#undef METRICS_VALUE

/* --- Labels: X(set, label name). The values of set S are METRICS_S_MAP. --- */

#define METRICS_LABEL_MAP(X)           \
    X(ROUTE,          "route")         \
    X(METHOD,         "method")        \
    X(CODE,           "code")          \
    X(CONNECTION,     "result")        \
    X(PROTOCOL_ERROR, "reason")        \
    X(REQUEST_STATUS, "status")        \
    X(OUTCOME,        "status")        \
    X(PLACE,          "place")         \
    X(FLUSH,          "reason")        \
    X(REJECTION,      "reason")        \
    X(DEADLINE_STAGE, "stage")         \
    X(STAGE,          "stage")         \
    X(CLASS,          "class")         \
    X(ROWS,           "kind")          \
    X(ACTION,         "action")        \
    X(INDICATOR,      "indicator")     \
    X(CHECK,          "result")        \
    X(UNCHECKED,      "reason")        \
    X(ROLLBACK,       "reason")        \
    X(ERROR,          "error_type")    \
    X(ISA,            "isa")           \
    X(CHANGE,         "source")        \
    X(BASELINE,       "baseline")      \
    X(LEVEL,          "level")

/* MODEL and TENANT are known only at start; always a family's first label. */
enum metrics_label {
    METRICS_LABEL_NONE,
    METRICS_LABEL_MODEL,
    METRICS_LABEL_TENANT,
#define X(set, name) METRICS_LABEL_##set,
    METRICS_LABEL_MAP(X)
#undef X
    METRICS_LABEL_COUNT
};

/* --- Buckets: X(upper bound, as Prometheus writes it) --- */

/* Requests: holds every threshold of an SLO (0.2, 0.5, 1, 30 and 60 s). */
#define METRICS_LAT_MAP(X)                                                                         \
    X(100 * NS_PER_US, "0.0001") X(250 * NS_PER_US, "0.00025") X(500 * NS_PER_US, "0.0005")        \
    X(1 * NS_PER_MS, "0.001") X(2500 * NS_PER_US, "0.0025") X(5 * NS_PER_MS, "0.005")              \
    X(10 * NS_PER_MS, "0.01") X(25 * NS_PER_MS, "0.025") X(50 * NS_PER_MS, "0.05")                 \
    X(100 * NS_PER_MS, "0.1") X(200 * NS_PER_MS, "0.2") X(250 * NS_PER_MS, "0.25")                 \
    X(500 * NS_PER_MS, "0.5") X(1 * NS_PER_S, "1.0") X(2500 * NS_PER_MS, "2.5")                    \
    X(5 * NS_PER_S, "5.0") X(10 * NS_PER_S, "10.0") X(30 * NS_PER_S, "30.0")                       \
    X(60 * NS_PER_S, "60.0") X(120 * NS_PER_S, "120.0")

/* Queueing: the default linger (5 ms) is a bound; 5 s is a backlog. */
#define METRICS_WAIT_MAP(X)                                                                        \
    X(10 * NS_PER_US, "1e-05") X(50 * NS_PER_US, "5e-05") X(100 * NS_PER_US, "0.0001")             \
    X(250 * NS_PER_US, "0.00025") X(500 * NS_PER_US, "0.0005") X(1 * NS_PER_MS, "0.001")           \
    X(2500 * NS_PER_US, "0.0025") X(5 * NS_PER_MS, "0.005") X(10 * NS_PER_MS, "0.01")              \
    X(25 * NS_PER_MS, "0.025") X(50 * NS_PER_MS, "0.05") X(100 * NS_PER_MS, "0.1")                 \
    X(250 * NS_PER_MS, "0.25") X(500 * NS_PER_MS, "0.5") X(1 * NS_PER_S, "1.0")                    \
    X(5 * NS_PER_S, "5.0")

/* The execution of a batch. */
#define METRICS_INFER_MAP(X)                                                                       \
    X(10 * NS_PER_US, "1e-05") X(25 * NS_PER_US, "2.5e-05") X(50 * NS_PER_US, "5e-05")             \
    X(100 * NS_PER_US, "0.0001") X(250 * NS_PER_US, "0.00025") X(500 * NS_PER_US, "0.0005")        \
    X(1 * NS_PER_MS, "0.001") X(2500 * NS_PER_US, "0.0025") X(5 * NS_PER_MS, "0.005")              \
    X(10 * NS_PER_MS, "0.01") X(25 * NS_PER_MS, "0.025") X(50 * NS_PER_MS, "0.05")                 \
    X(100 * NS_PER_MS, "0.1") X(250 * NS_PER_MS, "0.25") X(500 * NS_PER_MS, "0.5")                 \
    X(1 * NS_PER_S, "1.0") X(2500 * NS_PER_MS, "2.5") X(10 * NS_PER_S, "10.0")

/* One kernel call: a vectorised indicator takes a few microseconds. */
#define METRICS_KERN_MAP(X)                                                                        \
    X(1 * NS_PER_US, "1e-06") X(2500, "2.5e-06") X(5 * NS_PER_US, "5e-06")                         \
    X(10 * NS_PER_US, "1e-05") X(25 * NS_PER_US, "2.5e-05") X(50 * NS_PER_US, "5e-05")             \
    X(100 * NS_PER_US, "0.0001") X(250 * NS_PER_US, "0.00025") X(500 * NS_PER_US, "0.0005")        \
    X(1 * NS_PER_MS, "0.001") X(2500 * NS_PER_US, "0.0025") X(5 * NS_PER_MS, "0.005")              \
    X(10 * NS_PER_MS, "0.01") X(25 * NS_PER_MS, "0.025") X(50 * NS_PER_MS, "0.05")                 \
    X(100 * NS_PER_MS, "0.1") X(500 * NS_PER_MS, "0.5") X(1 * NS_PER_S, "1.0")

/* Steps of 1.5 between the powers of two show partial batches. */
#define METRICS_BATCH_MAP(X)                                                                       \
    X(1, "1.0") X(2, "2.0") X(3, "3.0") X(4, "4.0") X(6, "6.0") X(8, "8.0") X(12, "12.0")          \
    X(16, "16.0") X(24, "24.0") X(32, "32.0") X(48, "48.0") X(64, "64.0") X(96, "96.0")            \
    X(128, "128.0") X(256, "256.0")

/* 64 B to 16 MiB, the default limit of a body. */
#define METRICS_BYTES_MAP(X)                                                                       \
    X(64, "64.0") X(256, "256.0") X(1024, "1024.0") X(4096, "4096.0") X(16384, "16384.0")          \
    X(65536, "65536.0") X(262144, "262144.0") X(1048576, "1.048576e+06")                           \
    X(4194304, "4.194304e+06") X(16777216, "1.6777216e+07")

/* Errors as parts of a number, in 1e-17: around the last digit of a double, then of a float. */
#define METRICS_RELERR_MAP(X)                                                                      \
    X(10, "1e-16") X(100, "1e-15") X(1000, "1e-14") X(10000, "1e-13") X(100000, "1e-12")           \
    X(1000000, "1e-11") X(10000000, "1e-10") X(100000000, "1e-09") X(1000000000, "1e-08")          \
    X(UINT64_C(10000000000), "1e-07") X(UINT64_C(100000000000), "1e-06")                           \
    X(UINT64_C(1000000000000), "1e-05") X(UINT64_C(10000000000000), "0.0001")                      \
    X(UINT64_C(1000000000000000), "0.01")

/* What a summary has: a count and a sum. */
#define METRICS_SUM_MAP(X)

#define METRICS_BUCKETS_MAP(X) X(LAT) X(WAIT) X(INFER) X(KERN) X(BATCH) X(BYTES) X(RELERR) X(SUM)

/*
 * --- Families: X(enumerator, name, type, unit, buckets, label, label, label, help) ---
 *
 * Type    COUNTER    counted in shards by metrics_add()
 *         HISTOGRAM  counted in shards by metrics_observe(), as is SUMMARY
 *         TOTAL      a counter that is kept elsewhere and set by metrics_set(), as is GAUGE
 *         INFO       set by metrics_set_info()
 * Unit    counters, histograms and summaries in SECONDS are given in ns, those that are a RATIO
 *         in 1e-17 (METRICS_RATIO_ONE is 1).
 *
 * Families with one prefix stand together. METRICS_SERIES stays last: by then
 * the renderer knows how many series there are.
 */
#define METRICS_FAMILY_MAP(X)                                                                      \
    X(HTTP_REQUESTS_TOTAL, "http_requests_total",                                                  \
      COUNTER, NUMBER, NONE, ROUTE, METHOD, CODE,                                                  \
      "HTTP requests completed, by route template, method and status code.")                       \
    X(HTTP_REQUEST_DURATION_SECONDS, "http_request_duration_seconds",                              \
      HISTOGRAM, SECONDS, LAT, ROUTE, NONE, NONE,                                                  \
      "Time from the last request byte parsed to the last response byte queued.")                  \
    X(HTTP_REQUEST_SIZE_BYTES, "http_request_size_bytes",                                          \
      HISTOGRAM, BYTES, BYTES, NONE, NONE, NONE,                                                   \
      "Request body size.")                                                                        \
    X(HTTP_RESPONSE_SIZE_BYTES, "http_response_size_bytes",                                        \
      HISTOGRAM, BYTES, BYTES, NONE, NONE, NONE,                                                   \
      "Response body size before compression.")                                                    \
    X(HTTP_REQUESTS_IN_FLIGHT, "http_requests_in_flight",                                          \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Requests parsed but not yet answered.")                                                     \
    X(HTTP_CONNECTIONS_TOTAL, "http_connections_total",                                            \
      COUNTER, NUMBER, NONE, CONNECTION, NONE, NONE,                                               \
      "Client connections by accept result.")                                                      \
    X(HTTP_CONNECTIONS_LIMIT, "http_connections_limit",                                            \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Configured maximum of concurrent connections.")                                             \
    X(HTTP_PROTOCOL_ERRORS_TOTAL, "http_protocol_errors_total",                                    \
      COUNTER, NUMBER, NONE, PROTOCOL_ERROR, NONE, NONE,                                           \
      "Requests dropped before a route was known.")                                                \
                                                                                                   \
    X(BATCHER_SUBMITTED_TOTAL, "batcher_submitted_total",                                          \
      COUNTER, NUMBER, NONE, MODEL, NONE, NONE,                                                    \
      "Requests offered to the batcher.")                                                          \
    X(BATCHER_REQUESTS_TOTAL, "batcher_requests_total",                                            \
      COUNTER, NUMBER, NONE, MODEL, REQUEST_STATUS, NONE,                                          \
      "Requests that left the batcher, by final status (exactly one increment each).")             \
    X(BATCHER_REQUEST_LATENCY_SECONDS, "batcher_request_latency_seconds",                          \
      HISTOGRAM, SECONDS, LAT, MODEL, NONE, NONE,                                                  \
      "Time from submit() to result delivered.")                                                   \
    X(BATCHER_BATCH_SIZE, "batcher_batch_size",                                                    \
      HISTOGRAM, NUMBER, BATCH, MODEL, NONE, NONE,                                                 \
      "Requests per executed batch.")                                                              \
    X(BATCHER_BATCH_WAIT_TIME_SECONDS, "batcher_batch_wait_time_seconds",                          \
      HISTOGRAM, SECONDS, WAIT, MODEL, NONE, NONE,                                                 \
      "Time a request waited from submit() until its batch was dispatched.")                       \
    X(BATCHER_INFERENCE_TIME_SECONDS, "batcher_inference_time_seconds",                            \
      HISTOGRAM, SECONDS, INFER, MODEL, NONE, NONE,                                                \
      "Execution time of one batch in the compute backend.")                                       \
    X(BATCHER_QUEUE_SIZE, "batcher_queue_size",                                                    \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Requests waiting to be batched.")                                                           \
    X(BATCHER_QUEUE_CAPACITY, "batcher_queue_capacity",                                            \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Configured queue bound; submit() is rejected beyond it.")                                   \
    X(BATCHER_QUEUE_OLDEST_AGE_SECONDS, "batcher_queue_oldest_age_seconds",                        \
      GAUGE, SECONDS, NONE, MODEL, NONE, NONE,                                                     \
      "Age of the oldest waiting request, 0 when empty.")                                          \
    X(BATCHER_INFLIGHT_BATCHES, "batcher_inflight_batches",                                        \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Batches being executed.")                                                                   \
    X(BATCHER_INFLIGHT_BATCHES_LIMIT, "batcher_inflight_batches_limit",                            \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Maximum concurrent batches.")                                                               \
    X(BATCHER_MAX_BATCH_SIZE, "batcher_max_batch_size",                                            \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Configured maximum batch size.")                                                            \
    X(BATCHER_MAX_WAIT_SECONDS, "batcher_max_wait_seconds",                                        \
      GAUGE, SECONDS, NONE, MODEL, NONE, NONE,                                                     \
      "Configured (or adaptively chosen) batch timeout.")                                          \
    X(BATCHER_BATCHES_TOTAL, "batcher_batches_total",                                              \
      COUNTER, NUMBER, NONE, MODEL, OUTCOME, PLACE,                                                \
      "Batches executed, and on what thread.")                                                                         \
    X(BATCHER_FLUSHES_TOTAL, "batcher_flushes_total",                                              \
      COUNTER, NUMBER, NONE, MODEL, FLUSH, NONE,                                                   \
      "Why each batch was closed.")                                                                \
    X(BATCHER_REJECTIONS_TOTAL, "batcher_rejections_total",                                        \
      COUNTER, NUMBER, NONE, MODEL, REJECTION, NONE,                                               \
      "Requests refused at admission.")                                                            \
    X(BATCHER_DEADLINE_MISSES_TOTAL, "batcher_deadline_misses_total",                              \
      COUNTER, NUMBER, NONE, MODEL, DEADLINE_STAGE, NONE,                                          \
      "Requests whose deadline had passed, by the stage that noticed.")                            \
    X(BATCHER_ROWS_TOTAL, "batcher_rows_total",                                                    \
      COUNTER, NUMBER, NONE, MODEL, ROWS, NONE,                                                    \
      "Rows executed; padding rows only fill SIMD lanes.")                                         \
    X(BATCHER_PREDICTED_TIME_SECONDS, "batcher_predicted_time_seconds",                            \
      SUMMARY, SECONDS, SUM, MODEL, NONE, NONE,                                                    \
      "What batches were expected to take; batcher_inference_time_seconds is what they took.")     \
    X(BATCHER_COST_FIXED_SECONDS, "batcher_cost_fixed_seconds",                                    \
      GAUGE, SECONDS, NONE, MODEL, NONE, NONE,                                                     \
      "Cost model: time of a batch that does not depend on its size.")                             \
    X(BATCHER_COST_UNIT_SECONDS, "batcher_cost_unit_seconds",                                      \
      GAUGE, SECONDS, NONE, MODEL, NONE, NONE,                                                     \
      "Cost model: time that each row (of an indicator: each value) adds.")                        \
    X(BATCHER_COST_ERROR_RATIO, "batcher_cost_error_ratio",                                        \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                       \
      "Cost model: usual error of a prediction, as a share of the time.")                          \
    X(BATCHER_COST_IS_SURE, "batcher_cost_is_sure",                                                \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "1: the cost model is used for admission and for a latency target; 0: only limits hold.")    \
    X(BATCHER_ARRIVALS_PER_SECOND, "batcher_arrivals_per_second",                                  \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Rows (of an indicator: values) that were asked for in a second, of late.")                  \
    X(BATCHER_DRAINED_PER_SECOND, "batcher_drained_per_second",                                    \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Requests that the queue finishes in a second while it is busy; what Retry-After is from.")  \
    X(BATCHER_TARGET_P99_SECONDS, "batcher_target_p99_seconds",                                    \
      GAUGE, SECONDS, NONE, MODEL, NONE, NONE,                                                     \
      "Latency target; 0: none, the static limits decide.")                                        \
    X(BATCHER_CHOSEN_BATCH_ROWS, "batcher_chosen_batch_rows",                                      \
      GAUGE, NUMBER, NONE, MODEL, NONE, NONE,                                                      \
      "Rows that a batch may have now: the configured maximum, or less for the latency target.")   \
    X(BATCHER_CLASS_REQUESTS_TOTAL, "batcher_class_requests_total",                                \
      COUNTER, NUMBER, NONE, CLASS, REQUEST_STATUS, NONE,                                          \
      "Requests that left the batcher, by priority class and final status.")                       \
    X(BATCHER_CLASS_WAIT_TIME_SECONDS, "batcher_class_wait_time_seconds",                          \
      HISTOGRAM, SECONDS, WAIT, CLASS, NONE, NONE,                                                 \
      "Time a request waited until its batch was dispatched, by priority class.")                  \
    X(BATCHER_TENANT_REQUESTS_TOTAL, "batcher_tenant_requests_total",                              \
      COUNTER, NUMBER, NONE, TENANT, REQUEST_STATUS, NONE,                                         \
      "Requests that left the batcher, by tenant and final status.")                               \
    X(BATCHER_TENANT_WAIT_TIME_SECONDS, "batcher_tenant_wait_time_seconds",                        \
      SUMMARY, SECONDS, SUM, TENANT, NONE, NONE,                                                   \
      "Time requests of a tenant waited until their batches were dispatched.")                     \
    X(BATCHER_CONFIG_CHANGES_TOTAL, "batcher_config_changes_total",                                \
      COUNTER, NUMBER, NONE, MODEL, CHANGE, NONE,                                                  \
      "Times that a queue's batching was changed while it ran, by the API or by reading the file again.")\
    X(BATCHER_LAST_BATCH_TIMESTAMP_SECONDS, "batcher_last_batch_timestamp_seconds",                \
      GAUGE, SECONDS, NONE, MODEL, NONE, NONE,                                                     \
      "When the last batch finished, in seconds since the Unix epoch; 0 before the first.")        \
                                                                                                   \
    X(COMPUTE_REQUESTS_TOTAL, "compute_requests_total",                                            \
      COUNTER, NUMBER, NONE, ACTION, OUTCOME, NONE,                                                \
      "Compute requests processed, by action and status.")                                         \
    X(COMPUTE_REQUEST_DURATION_SECONDS, "compute_request_duration_seconds",                        \
      HISTOGRAM, SECONDS, LAT, ACTION, NONE, NONE,                                                 \
      "Compute request processing time.")                                                          \
    X(COMPUTE_REQUEST_STAGE_SECONDS, "compute_request_stage_seconds",                              \
      SUMMARY, SECONDS, SUM, MODEL, STAGE, NONE,                                                   \
      "Where the time of answered requests went: parse, queue, compute, write, as in Server-Timing.")\
    X(COMPUTE_INDICATOR_TIME_SECONDS, "compute_indicator_time_seconds",                            \
      HISTOGRAM, SECONDS, KERN, INDICATOR, NONE, NONE,                                             \
      "Time in the numeric kernel, excluding parsing and queueing.")                               \
    X(COMPUTE_INDICATOR_DATA_POINTS, "compute_indicator_data_points",                              \
      SUMMARY, NUMBER, SUM, INDICATOR, NONE, NONE,                                                 \
      "Data points processed per calculation (sum and count only, no quantiles).")                 \
    X(COMPUTE_ERRORS_TOTAL, "compute_errors_total",                                                \
      COUNTER, NUMBER, NONE, ERROR, NONE, NONE,                                                    \
      "Errors by type; the type is the code of the JSON error body.")                              \
    X(COMPUTE_ACTIVE_CONNECTIONS, "compute_active_connections",                                    \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Open client connections.")                                                                  \
    X(COMPUTE_INFO, "compute_info",                                                                \
      INFO, NUMBER, NONE, NONE, NONE, NONE,                                                        \
      "Build and SIMD configuration; always 1.")                                                   \
    X(COMPUTE_INDICATOR_SPEEDUP, "compute_indicator_speedup",                                      \
      GAUGE, NUMBER, NONE, INDICATOR, BASELINE, NONE,                                              \
      "Measured speed-up of the active kernel over the named baseline (self-test); NaN: not measured.")\
    X(COMPUTE_INDICATOR_SPEEDUP_REFERENCE, "compute_indicator_speedup_reference",                  \
      GAUGE, NUMBER, NONE, INDICATOR, BASELINE, NONE,                                              \
      "Speed-up recorded at release time on this ISA; NaN: none was recorded.")                    \
    X(COMPUTE_SELFTEST_TIMESTAMP_SECONDS, "compute_selftest_timestamp_seconds",                    \
      GAUGE, SECONDS, NONE, NONE, NONE, NONE,                                                      \
      "When the speed-up self-test last ran.")                                                     \
    X(COMPUTE_KERNEL_DISPATCH_TOTAL, "compute_kernel_dispatch_total",                              \
      COUNTER, NUMBER, NONE, ISA, NONE, NONE,                                                      \
      "Kernel calls by the ISA path taken.")                                                       \
    X(COMPUTE_KERNEL_FLOPS_TOTAL, "compute_kernel_flops_total",                                    \
      COUNTER, NUMBER, NONE, INDICATOR, NONE, NONE,                                                \
      "Floating point operations performed (analytic count).")                                     \
    X(COMPUTE_KERNEL_BYTES_TOTAL, "compute_kernel_bytes_total",                                    \
      COUNTER, BYTES, NONE, INDICATOR, NONE, NONE,                                                 \
      "Bytes read and written by kernels (analytic count).")                                       \
    X(COMPUTE_NONFINITE_RESULTS_TOTAL, "compute_nonfinite_results_total",                          \
      COUNTER, NUMBER, NONE, INDICATOR, NONE, NONE,                                                \
      "Results holding NaN or Inf beyond the defined warm-up.")                                    \
    X(COMPUTE_ROLLBACKS_TOTAL, "compute_rollbacks_total",                                          \
      COUNTER, NUMBER, NONE, INDICATOR, ROLLBACK, NONE,                                            \
      "Fast kernels that were given up for their plain twins, until the next start.")              \
    X(COMPUTE_WORKER_THREADS, "compute_worker_threads",                                            \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Worker threads configured.")                                                                \
    X(COMPUTE_WORKERS_BUSY, "compute_workers_busy",                                                \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Workers executing right now.")                                                              \
    X(COMPUTE_WORKER_BUSY_SECONDS_TOTAL, "compute_worker_busy_seconds_total",                      \
      COUNTER, SECONDS, NONE, NONE, NONE, NONE,                                                    \
      "Summed busy time of all workers.")                                                          \
    X(COMPUTE_TASKS_TOTAL, "compute_tasks_total",                                                  \
      COUNTER, NUMBER, NONE, NONE, NONE, NONE,                                                     \
      "Tasks run by the pool.")                                                                    \
    X(COMPUTE_TASK_WAIT_SECONDS, "compute_task_wait_seconds",                                      \
      HISTOGRAM, SECONDS, WAIT, NONE, NONE, NONE,                                                  \
      "Time the oldest request of a batch waited until a worker took it, linger included.")        \
                                                                                                   \
    X(VERIFICATION_CHECKS_TOTAL, "verification_checks_total",                                      \
      COUNTER, NUMBER, NONE, INDICATOR, CHECK, NONE,                                               \
      "Sampled results recomputed by the plain twin and compared.")                                \
    X(VERIFICATION_RELATIVE_ERROR, "verification_relative_error",                                  \
      HISTOGRAM, RATIO, RELERR, INDICATOR, NONE, NONE,                                             \
      "Relative error of sampled results against the plain twin; at most 1.")                      \
    X(VERIFICATION_SKIPPED_TOTAL, "verification_skipped_total",                                    \
      COUNTER, NUMBER, NONE, INDICATOR, UNCHECKED, NONE,                                           \
      "Sampled results that were not compared.")                                                   \
                                                                                                   \
    X(PROCESS_CPU_SECONDS_TOTAL, "process_cpu_seconds_total",                                      \
      TOTAL, SECONDS, NONE, NONE, NONE, NONE,                                                      \
      "Total user and system CPU time spent in seconds.")                                          \
    X(PROCESS_RESIDENT_MEMORY_BYTES, "process_resident_memory_bytes",                              \
      GAUGE, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "Resident memory size in bytes.")                                                            \
    X(PROCESS_VIRTUAL_MEMORY_BYTES, "process_virtual_memory_bytes",                                \
      GAUGE, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "Virtual memory size in bytes.")                                                             \
    X(PROCESS_VIRTUAL_MEMORY_MAX_BYTES, "process_virtual_memory_max_bytes",                        \
      GAUGE, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "Maximum amount of virtual memory available in bytes.")                                      \
    X(PROCESS_START_TIME_SECONDS, "process_start_time_seconds",                                    \
      GAUGE, SECONDS, NONE, NONE, NONE, NONE,                                                      \
      "Start time of the process since unix epoch in seconds.")                                    \
    X(PROCESS_OPEN_FDS, "process_open_fds",                                                        \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Number of open file descriptors.")                                                          \
    X(PROCESS_MAX_FDS, "process_max_fds",                                                          \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Maximum number of open file descriptors.")                                                  \
    X(PROCESS_NETWORK_RECEIVE_BYTES_TOTAL, "process_network_receive_bytes_total",                  \
      TOTAL, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "Number of bytes received by the process over the network.")                                 \
    X(PROCESS_NETWORK_TRANSMIT_BYTES_TOTAL, "process_network_transmit_bytes_total",                \
      TOTAL, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "Number of bytes sent by the process over the network.")                                     \
    X(PROCESS_THREADS, "process_threads",                                                          \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Number of OS threads.")                                                                     \
                                                                                                   \
    X(CGROUP_MEMORY_USAGE_BYTES, "cgroup_memory_usage_bytes",                                      \
      GAUGE, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "memory.current of the service's cgroup.")                                                   \
    X(CGROUP_MEMORY_LIMIT_BYTES, "cgroup_memory_limit_bytes",                                      \
      GAUGE, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "memory.max, or MemTotal when unlimited.")                                                   \
    X(CGROUP_CPU_LIMIT_CORES, "cgroup_cpu_limit_cores",                                            \
      GAUGE, CORES, NONE, NONE, NONE, NONE,                                                        \
      "cpu.max quota/period, or online CPUs when unlimited.")                                      \
    X(CGROUP_CPU_THROTTLED_SECONDS_TOTAL, "cgroup_cpu_throttled_seconds_total",                    \
      TOTAL, SECONDS, NONE, NONE, NONE, NONE,                                                      \
      "cpu.stat throttled_usec.")                                                                  \
    X(CGROUP_OOM_KILLS_TOTAL, "cgroup_oom_kills_total",                                            \
      TOTAL, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "memory.events oom_kill.")                                                                   \
                                                                                                   \
    X(SERVICE_READY, "service_ready",                                                              \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "1 when /v2/health/ready answers 200.")                                                      \
    X(SERVICE_CONFIG_LAST_RELOAD_SUCCESSFUL, "service_config_last_reload_successful",              \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "1 if the last configuration load succeeded.")                                               \
    X(SERVICE_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS,                                        \
      "service_config_last_reload_success_timestamp_seconds",                                      \
      GAUGE, SECONDS, NONE, NONE, NONE, NONE,                                                      \
      "When the configuration was last loaded, in seconds since the Unix epoch.")                  \
                                                                                                   \
    X(LOG_MESSAGES_TOTAL, "log_messages_total",                                                    \
      TOTAL, NUMBER, NONE, LEVEL, NONE, NONE,                                                      \
      "Log lines written.")                                                                        \
                                                                                                   \
    X(METRICS_SCRAPE_DURATION_SECONDS, "metrics_scrape_duration_seconds",                          \
      GAUGE, SECONDS, NONE, NONE, NONE, NONE,                                                      \
      "Time the previous exposition took to render.")                                              \
    X(METRICS_EXPOSITION_BYTES, "metrics_exposition_bytes",                                        \
      GAUGE, BYTES, NONE, NONE, NONE, NONE,                                                        \
      "Size of the previous exposition.")                                                          \
    X(METRICS_DROPPED_LABELSETS_TOTAL, "metrics_dropped_labelsets_total",                          \
      TOTAL, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "New label sets refused by the cardinality cap.")                                            \
    X(METRICS_SERIES, "metrics_series",                                                            \
      GAUGE, NUMBER, NONE, NONE, NONE, NONE,                                                       \
      "Series exposed.")

enum metrics_family {
#define X(enumerator, ...) METRICS_##enumerator,
    METRICS_FAMILY_MAP(X)
#undef X
    METRICS_FAMILY_COUNT
};

/* The histograms with exemplars. */
#define METRICS_EXEMPLARS_MAP(X)       \
    X(HTTP_REQUEST_DURATION_SECONDS)   \
    X(BATCHER_REQUEST_LATENCY_SECONDS)

/* The labels of compute_info. */
#define METRICS_INFO_MAP(X) \
    X("version") X("commit") X("compiler") X("simd_enabled") X("simd_isa") X("simd_width") X("blas")

/* clang-format on */

#endif
