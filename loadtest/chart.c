/*
 * chart.c - see chart.h.
 *
 * A cell of the field is two dots wide and four high, as a Braille character is. Lines are
 * drawn in dots; the points themselves then take whole cells.
 */
#include "chart.h"

#include <math.h>
#include <string.h>

#include "load_base.h"

enum {
    LABEL_COLUMNS = 8, /* "500 us" and a space */
    FIELD_COLUMNS = CHART_COLUMNS - LABEL_COLUMNS - 2,
    CELL_WIDTH = 2,
    CELL_HEIGHT = 4,
    X_TICKS_MAX = 8,
    Y_TICK_ROWS_MIN = 3, /* between two labels */
};

enum glyph {
    GLYPH_NONE,
    GLYPH_POINT, /* and the number of its line */
    GLYPH_MARK = GLYPH_POINT + CHART_LINES_MAX,
};

struct field {
    double x_max;
    double y_low; /* logarithms */
    double y_high;
    unsigned char dots[CHART_ROWS][FIELD_COLUMNS];
    unsigned char glyphs[CHART_ROWS][FIELD_COLUMNS];
    char labels[CHART_ROWS][LABEL_COLUMNS]; /* "": none */
    bool unicode;
};

/* --- Numbers on axes. */

/* The next 1, 2 or 5 with zeros, at or above x (or, downwards, at or below). */
static double nice(double x, bool up)
{
    static const double digits[] = {1, 2, 5, 10};
    const double decade = pow(10, floor(log10(x) + 1e-9));
    double below = decade;
    for (size_t i = 0; i < ARRAY_SIZE(digits); i++) {
        if (digits[i] * decade >= x * (1 - 1e-9))
            return up || digits[i] * decade <= x * (1 + 1e-9) ? digits[i] * decade : below;
        below = digits[i] * decade;
    }
    return below;
}

/* "50 us": a tick has one digit and zeros. */
static void print_tick(double ns, char out[LABEL_COLUMNS])
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    size_t unit = 0;
    while (unit + 1 < ARRAY_SIZE(units) && ns < 0.999 * units[unit].ns)
        unit++;
    snprintf(out, LABEL_COLUMNS, "%.0f %s", ns / units[unit].ns, units[unit].name);
}

/* --- Where things are. */

static double column_of(const struct field *field, double x)
{
    return x / field->x_max * (FIELD_COLUMNS * CELL_WIDTH - 1);
}

static double row_of(const struct field *field, double y_ns)
{
    const double share = (log10(y_ns) - field->y_low) / (field->y_high - field->y_low);
    return (1 - share) * (CHART_ROWS * CELL_HEIGHT - 1);
}

static bool is_drawable(const struct chart_point *point, size_t line)
{
    return point->x >= 0 && isfinite(point->x) && point->y_ns[line] > 0 &&
           isfinite(point->y_ns[line]);
}

static size_t line_count(const struct chart *chart)
{
    size_t count = 0;
    while (count < CHART_LINES_MAX && chart->names[count] != NULL)
        count++;
    return count;
}

static bool choose_scale(const struct chart *chart, struct field *field)
{
    double low = INFINITY, high = 0, x_max = isfinite(chart->mark_x) ? chart->mark_x : 0;
    for (size_t i = 0; i < chart->count; i++)
        for (size_t line = 0; line < line_count(chart); line++) {
            if (!is_drawable(&chart->points[i], line))
                continue;
            low = fmin(low, chart->points[i].y_ns[line]);
            high = fmax(high, chart->points[i].y_ns[line]);
            x_max = fmax(x_max, chart->points[i].x);
        }
    if (high <= 0 || x_max <= 0)
        return false;
    field->x_max = x_max * 1.04; /* the last point does not stand on the edge */
    field->y_low = log10(nice(low, false));
    field->y_high = log10(nice(high, true));
    if (field->y_high <= field->y_low)
        field->y_high = field->y_low + log10(2);
    return true;
}

/* --- Drawing. */

static void set_dot(struct field *field, long x, long y)
{
    static const unsigned char bits[CELL_HEIGHT][CELL_WIDTH] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    field->dots[y / CELL_HEIGHT][x / CELL_WIDTH] |= bits[y % CELL_HEIGHT][x % CELL_WIDTH];
}

static void draw_between(struct field *field, double x0, double y0, double x1, double y1)
{
    const double steps = fmax(1, ceil(fmax(fabs(x1 - x0), fabs(y1 - y0))));
    for (double i = 0; i <= steps; i++)
        set_dot(field, lround(x0 + (x1 - x0) * i / steps), lround(y0 + (y1 - y0) * i / steps));
}

static void draw_point(struct field *field, const struct chart_point *point, size_t line)
{
    const long column = lround(column_of(field, point->x)) / CELL_WIDTH;
    const long row = lround(row_of(field, point->y_ns[line])) / CELL_HEIGHT;
    field->glyphs[row][column] = (unsigned char)(GLYPH_POINT + line);
}

static void draw_line(struct field *field, const struct chart *chart, size_t line)
{
    const struct chart_point *last = NULL;
    for (size_t i = 0; i < chart->count; i++) {
        const struct chart_point *point = &chart->points[i];
        if (!is_drawable(point, line))
            continue;
        draw_point(field, point, line);
        if (last != NULL && !point->apart)
            draw_between(field, column_of(field, last->x), row_of(field, last->y_ns[line]),
                         column_of(field, point->x), row_of(field, point->y_ns[line]));
        if (!point->apart)
            last = point;
    }
}

static void draw_mark(struct field *field, const struct chart *chart)
{
    if (!isfinite(chart->mark_x))
        return;
    const long column = lround(column_of(field, chart->mark_x)) / CELL_WIDTH;
    for (size_t row = 0; row < CHART_ROWS; row++)
        if (field->glyphs[row][column] == GLYPH_NONE && field->dots[row][column] == 0)
            field->glyphs[row][column] = GLYPH_MARK;
}

/* From the bottom up, every 1, 2 and 5 for which there is room; 1 comes first. */
static void label_rows(struct field *field)
{
    static const double digits[] = {1, 5, 2};
    for (size_t i = 0; i < ARRAY_SIZE(digits); i++)
        for (double decade = floor(field->y_low); decade <= field->y_high; decade++) {
            const double y = decade + log10(digits[i]);
            if (y < field->y_low - 1e-9 || y > field->y_high + 1e-9)
                continue;
            const long row = lround(row_of(field, pow(10, y))) / CELL_HEIGHT;
            bool room = true;
            for (long other = row - Y_TICK_ROWS_MIN + 1; other < row + Y_TICK_ROWS_MIN; other++)
                room &= other < 0 || other >= CHART_ROWS || field->labels[other][0] == '\0';
            if (room)
                print_tick(pow(10, y), field->labels[row]);
        }
}

/* --- Printing. */

static const char *point_text(size_t line, bool unicode)
{
    static const char *const unicode_points[CHART_LINES_MAX] = {"○", "●"};
    static const char *const ascii_points[CHART_LINES_MAX] = {"o", "*"};
    return unicode ? unicode_points[line] : ascii_points[line];
}

static void print_dots(unsigned char dots, bool unicode, FILE *out)
{
    if (!unicode)
        fputc(dots != 0 ? '.' : ' ', out);
    else if (dots == 0)
        fputc(' ', out);
    else /* U+2800 and the dots, in UTF-8 */
        fprintf(out, "\xe2%c%c", 0xa0 + (dots >> 6), 0x80 + (dots & 0x3f));
}

static void print_cell(const struct field *field, size_t row, size_t column, FILE *out)
{
    const unsigned char glyph = field->glyphs[row][column];
    if (glyph == GLYPH_NONE)
        print_dots(field->dots[row][column], field->unicode, out);
    else if (glyph == GLYPH_MARK)
        fputs(field->unicode ? "╎" : "|", out);
    else
        fputs(point_text((size_t)(glyph - GLYPH_POINT), field->unicode), out);
}

/* Nothing is printed behind the last thing in a row. */
static size_t row_columns(const struct field *field, size_t row)
{
    size_t columns = FIELD_COLUMNS;
    while (columns > 0 && field->glyphs[row][columns - 1] == GLYPH_NONE &&
           field->dots[row][columns - 1] == 0)
        columns--;
    return columns;
}

static void print_row(const struct field *field, size_t row, FILE *out)
{
    const bool tick = field->labels[row][0] != '\0';
    const char *axis = field->unicode ? (tick ? "┤" : "│") : (tick ? "+" : "|");
    const size_t columns = row_columns(field, row);
    fprintf(out, "%*s %s", LABEL_COLUMNS, field->labels[row], axis);
    for (size_t column = 0; column < columns; column++)
        print_cell(field, row, column, out);
    fputc('\n', out);
}

/* The distance of the numbers below the axis. */
static double x_distance(const struct field *field)
{
    return nice(field->x_max / X_TICKS_MAX, true);
}

static void print_axis(const struct field *field, FILE *out)
{
    const double distance = x_distance(field);
    double next = 0;
    fprintf(out, "%*s %s", LABEL_COLUMNS, "", field->unicode ? "└" : "+");
    for (long column = 0; column < FIELD_COLUMNS; column++) {
        const bool tick =
            next <= field->x_max && lround(column_of(field, next)) / CELL_WIDTH == column;
        fputs(field->unicode ? (tick ? "┬" : "─") : (tick ? "+" : "-"), out);
        next += tick ? distance : 0;
    }
    fputc('\n', out);
}

/* Numbers stand with their middle below their tick. */
static void print_numbers(const struct field *field, FILE *out)
{
    char line[CHART_COLUMNS + 1];
    const double distance = x_distance(field);
    memset(line, ' ', sizeof line);
    line[CHART_COLUMNS] = '\0';
    for (double x = 0; x <= field->x_max; x += distance) {
        char number[24];
        const int bytes = snprintf(number, sizeof number, "%g", x);
        const long tick = LABEL_COLUMNS + 2 + lround(column_of(field, x)) / CELL_WIDTH;
        const long first = tick - bytes / 2;
        if (bytes > 0 && first + bytes <= CHART_COLUMNS)
            memcpy(line + first, number, (size_t)bytes);
    }
    size_t columns = CHART_COLUMNS;
    while (columns > 0 && line[columns - 1] == ' ')
        columns--;
    fprintf(out, "%.*s\n", (int)columns, line);
}

static void print_legend(const struct chart *chart, const struct field *field, FILE *out)
{
    fprintf(out, "\n%*s  latency ", LABEL_COLUMNS, "");
    for (size_t line = 0; line < line_count(chart); line++)
        fprintf(out, "%s %s  ", point_text(line, field->unicode), chart->names[line]);
    fprintf(out, "over %s", chart->x_name);
    if (isfinite(chart->mark_x))
        fprintf(out, "   %s %s", field->unicode ? "╎" : "|", chart->mark);
    fputc('\n', out);
}

void chart_print(const struct chart *chart, bool unicode, FILE *out)
{
    struct field field = {.unicode = unicode};
    if (!choose_scale(chart, &field))
        return;
    for (size_t line = 0; line < line_count(chart); line++)
        draw_line(&field, chart, line);
    draw_mark(&field, chart);
    label_rows(&field);
    print_legend(chart, &field, out);
    for (size_t row = 0; row < CHART_ROWS; row++)
        print_row(&field, row, out);
    print_axis(&field, out);
    print_numbers(&field, out);
}
