/*
 * page.h - the page at GET /, built into the binary from page.html.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_bytes;

#endif
