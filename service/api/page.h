/*
 * page.h - the page at GET /, built into the binary from page.html.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_bytes;

/* The page's <style> and <script> as a Content-Security-Policy names them: "sha256-...". */
extern const char page_style_hash[];
extern const char page_script_hash[];

#endif
