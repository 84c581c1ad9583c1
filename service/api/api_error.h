/*
 * api_error.h - every error that the API answers: its status and its stable code.
 *
 * The text says in words what is wrong and where; it may hold what a client sent
 * (bounded; http_answer_error() escapes it).
 */
#ifndef API_ERROR_H
#define API_ERROR_H

#include <stdbool.h>

#define API_ERROR_MAP(X)                                     \
    X(INVALID_JSON, 400, "invalid_json")                     \
    X(INVALID_NUMBER, 400, "invalid_number")                 \
    X(NUMBER_OUT_OF_RANGE, 400, "number_out_of_range")       \
    X(NUMBER_TOO_LONG, 400, "number_too_long")               \
    X(UNKNOWN_FIELD, 400, "unknown_field")                   \
    X(MISSING_FIELD, 400, "missing_field")                   \
    X(DUPLICATE_FIELD, 400, "duplicate_field")               \
    X(WRONG_TYPE, 400, "wrong_type")                         \
    X(INVALID_SHAPE, 400, "invalid_shape")                   \
    X(INVALID_PARAMETER, 400, "invalid_parameter")           \
    X(EMPTY_INPUT, 400, "empty_input")                       \
    X(TOO_MANY_ROWS, 400, "too_many_rows")                   \
    X(TOO_MANY_POINTS, 400, "too_many_points")               \
    X(TOO_DEEP, 400, "too_deep")                             \
    X(UNAUTHORIZED, 401, "unauthorized")                     \
    X(NOT_FOUND, 404, "not_found")                           \
    X(MODEL_NOT_FOUND, 404, "model_not_found")               \
    X(QUEUE_NOT_FOUND, 404, "queue_not_found")               \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed")         \
    X(PRECONDITION_FAILED, 412, "precondition_failed")       \
    X(UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type") \
    X(UNSUPPORTED_ENCODING, 415, "unsupported_encoding")     \
    X(EXECUTION_FAILED, 500, "execution_failed")             \
    X(OUT_OF_MEMORY, 503, "out_of_memory")                   \
    X(TENANT_OVERLOADED, 429, "tenant_overloaded")           \
    X(OVERLOADED, 503, "overloaded")                         \
    X(MODEL_NOT_READY, 503, "model_not_ready")               \
    X(DRAINING, 503, "draining")                             \
    X(DEADLINE_EXCEEDED, 504, "deadline_exceeded")

enum api_error_id {
    API_OK,
#define X(id, status, code) API_##id,
    API_ERROR_MAP(X)
#undef X
};

struct api_error {
    enum api_error_id id;
    char text[256];
};

int api_error_status(enum api_error_id id);
const char *api_error_code(enum api_error_id id);

/* Sets the error, and returns false so that a check can end with it. */
bool api_fail(struct api_error *error, enum api_error_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
