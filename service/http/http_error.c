#include "http_error.h"

int http_error_status(enum http_error error)
{
    static const int statuses[] = {
#define X(name, status, code) [HTTP_ERROR_##name] = status,
        HTTP_ERROR_MAP(X)
#undef X
    };
    return statuses[error];
}

const char *http_error_code(enum http_error error)
{
    static const char *const codes[] = {
#define X(name, status, code) [HTTP_ERROR_##name] = code,
        HTTP_ERROR_MAP(X)
#undef X
    };
    return codes[error];
}

const char *http_status_text(int status)
{
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}
