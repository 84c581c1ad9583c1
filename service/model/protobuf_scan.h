/*
 * protobuf_scan.h - looks over protobuf bytes before protobuf-c unpacks them.
 *
 * protobuf-c recurses once per nested message without a limit, allocates a
 * struct for every two bytes of empty message, and merges a message field that
 * occurs twice. The scan follows the very descriptors that unpacking will
 * follow, keeps its own stack of a bounded depth, and refuses:
 *
 *   - lengths beyond the enclosing message, varints beyond ten bytes, groups;
 *   - a known field with another wire type than its own;
 *   - messages nested deeper, strings longer, or more fields than a limit;
 *   - a singular message field that occurs twice;
 *   - strings with a NUL byte, which as a C string would be another string.
 *
 *   Threads    pure functions.
 */
#ifndef PROTOBUF_SCAN_H
#define PROTOBUF_SCAN_H

#include <stddef.h>

#include "model.h"

struct ProtobufCMessageDescriptor;

struct protobuf_scan_limits {
    size_t nesting_max; /* the outermost message counts as one */
    size_t string_bytes_max;
    size_t fields_max; /* of all messages; each number of a packed varint field counts too */
};

enum model_status protobuf_scan(const struct ProtobufCMessageDescriptor *descriptor,
                                const void *data, size_t bytes,
                                const struct protobuf_scan_limits *limits,
                                struct model_error *error) __attribute__((warn_unused_result));

#endif
