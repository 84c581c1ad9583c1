#include "protobuf_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "model_error.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_32 = 5
};

/* More fields than this in one message of our schema would be a mistake in it. */
enum {
    SCHEMA_FIELDS_MAX = 64
};

/* One message that is being read; `end` bounds everything inside it. */
struct frame {
    const ProtobufCMessageDescriptor *descriptor;
    const uint8_t *end;
    uint64_t seen; /* bit i: the singular message field i was there */
};

struct scan {
    const uint8_t *start;
    const uint8_t *at;
    struct frame *frames;
    size_t depth; /* frames in use */
    size_t fields;
    const struct protobuf_scan_limits *limits;
    struct model_error *error;
};

static enum model_status malformed(struct scan *s, const char *what)
{
    return model_fail(s->error, MODEL_MALFORMED, "at byte %zu of the ONNX file: %s",
                      (size_t)(s->at - s->start), what);
}

static struct frame *innermost(struct scan *s)
{
    return &s->frames[s->depth - 1];
}

/* protobuf-c reads tags and lengths of at most five bytes, numbers of ten. */
enum {
    TAG_BYTES_MAX = 5,
    NUMBER_BYTES_MAX = 10
};

static bool read_varint(const uint8_t **at, const uint8_t *end, unsigned bytes_max, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * bytes_max && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static enum model_status count_field(struct scan *s)
{
    if (++s->fields <= s->limits->fields_max)
        return MODEL_OK;
    return model_fail(s->error, MODEL_TOO_LARGE, "the ONNX file has more than %zu fields",
                      s->limits->fields_max);
}

static enum model_status enter_message(struct scan *s, const ProtobufCMessageDescriptor *descriptor,
                                       const uint8_t *end)
{
    if (s->depth == s->limits->nesting_max)
        return model_fail(s->error, MODEL_TOO_LARGE,
                          "messages in the ONNX file nest deeper than %zu levels",
                          s->limits->nesting_max);
    s->frames[s->depth++] = (struct frame){.descriptor = descriptor, .end = end};
    return MODEL_OK;
}

static enum model_status enter_field(struct scan *s, const ProtobufCFieldDescriptor *field,
                                     const uint8_t *end)
{
    struct frame *outer = innermost(s);
    size_t index = (size_t)(field - outer->descriptor->fields);
    uint64_t bit = UINT64_C(1) << (index % SCHEMA_FIELDS_MAX);
    if (field->label != PROTOBUF_C_LABEL_REPEATED && (outer->seen & bit) != 0)
        return malformed(s, "a message that may occur once occurs twice");
    outer->seen |= bit;
    return enter_message(s, field->descriptor, end);
}

static enum model_status scan_packed_varints(struct scan *s, const uint8_t *end)
{
    while (s->at < end) {
        uint64_t ignored;
        if (!read_varint(&s->at, end, NUMBER_BYTES_MAX, &ignored))
            return malformed(s, "a number in a packed field does not end");
        enum model_status status = count_field(s);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

/* The content of a length-delimited field that the schema knows. */
static enum model_status scan_known_bytes(struct scan *s, const ProtobufCFieldDescriptor *field,
                                          const uint8_t *end)
{
    size_t bytes = (size_t)(end - s->at);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return enter_field(s, field, end);
    if (field->type == PROTOBUF_C_TYPE_STRING && bytes > s->limits->string_bytes_max)
        return model_fail(s->error, MODEL_TOO_LARGE, "a name in the ONNX file has %zu bytes",
                          bytes);
    if (field->type == PROTOBUF_C_TYPE_STRING && memchr(s->at, '\0', bytes) != NULL)
        return malformed(s, "a string contains a NUL byte");
    if (field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_INT64)
        return scan_packed_varints(s, end);
    if (field->type == PROTOBUF_C_TYPE_FLOAT && bytes % sizeof(float) != 0)
        return malformed(s, "a packed field of floats is no multiple of four bytes long");
    s->at = end;
    return MODEL_OK;
}

static bool wire_type_fits(const ProtobufCFieldDescriptor *field, uint64_t wire)
{
    bool packable = field->label == PROTOBUF_C_LABEL_REPEATED;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_INT64:
        return wire == WIRE_VARINT || (packable && wire == WIRE_BYTES);
    case PROTOBUF_C_TYPE_FLOAT:
        return wire == WIRE_32 || (packable && wire == WIRE_BYTES);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return wire == WIRE_BYTES;
    default: /* no other type occurs in onnx_subset.proto */
        return false;
    }
}

static enum model_status scan_bytes(struct scan *s, const ProtobufCFieldDescriptor *field)
{
    uint64_t length;
    if (!read_varint(&s->at, innermost(s)->end, TAG_BYTES_MAX, &length))
        return malformed(s, "a length does not end");
    if (length > (uint64_t)(innermost(s)->end - s->at) || length > INT32_MAX)
        return malformed(s, "a length reaches beyond the end of its message");
    const uint8_t *end = s->at + length;
    if (field != NULL)
        return scan_known_bytes(s, field, end);
    s->at = end;
    return MODEL_OK;
}

static enum model_status scan_fixed(struct scan *s, size_t bytes)
{
    if ((size_t)(innermost(s)->end - s->at) < bytes)
        return malformed(s, "a number reaches beyond the end of its message");
    s->at += bytes;
    return MODEL_OK;
}

static enum model_status scan_value(struct scan *s, const ProtobufCFieldDescriptor *field,
                                    uint64_t wire)
{
    uint64_t ignored;
    switch (wire) {
    case WIRE_VARINT:
        if (!read_varint(&s->at, innermost(s)->end, NUMBER_BYTES_MAX, &ignored))
            return malformed(s, "a number does not end");
        return MODEL_OK;
    case WIRE_64:
        return scan_fixed(s, 8);
    case WIRE_32:
        return scan_fixed(s, 4);
    case WIRE_BYTES:
        return scan_bytes(s, field);
    default:
        return malformed(s, "a field has a wire type that protobuf does not use");
    }
}

static enum model_status scan_field(struct scan *s)
{
    enum model_status status = count_field(s);
    if (status != MODEL_OK)
        return status;
    uint64_t tag;
    if (!read_varint(&s->at, innermost(s)->end, TAG_BYTES_MAX, &tag) || tag >> 3 == 0 ||
        tag > UINT32_MAX)
        return malformed(s, "a field has no valid number");
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(innermost(s)->descriptor, (unsigned)(tag >> 3));
    if (field != NULL && !wire_type_fits(field, tag & 7))
        return malformed(s, "a field has a wire type that is not its own");
    return scan_value(s, field, tag & 7);
}

static enum model_status scan_all(struct scan *s)
{
    while (s->depth > 0) {
        if (s->at == innermost(s)->end) {
            s->depth--;
            continue;
        }
        enum model_status status = scan_field(s);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

enum model_status protobuf_scan(const ProtobufCMessageDescriptor *descriptor, const void *data,
                                size_t bytes, const struct protobuf_scan_limits *limits,
                                struct model_error *error)
{
    if (bytes == 0)
        return model_fail(error, MODEL_MALFORMED, "the ONNX file is empty");
    struct scan s = {.start = data, .at = data, .limits = limits, .error = error};
    s.frames = calloc(limits->nesting_max, sizeof *s.frames);
    if (s.frames == NULL)
        return model_fail_nomem(error);
    enum model_status status = enter_message(&s, descriptor, s.start + bytes);
    if (status == MODEL_OK)
        status = scan_all(&s);
    free(s.frames);
    return status;
}
