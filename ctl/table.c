/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/table.h"

#include <stdio.h>
#include <string.h>
#include "ctl/terminal.h"
#include "xml/guest.h"

#define ELLIPSIS      "\342\200\246" /* one column wide */
#define GAP           2              /* between columns */
#define WIDTH_MIN     6              /* what of a text is left at least */
#define REMARK_INDENT 4

typedef struct {
    GPtrArray *cells;   /* char * */
    GPtrArray *remarks; /* char * */
    guint toned;
    NrTone tone;
} Row;

struct NrTable {
    const NrColumn *columns;
    guint count;
    GPtrArray *rows; /* Row */
};

static const char *const tone_codes[] = {
    [NR_TONE_PLAIN] = "",       [NR_TONE_GOOD] = "\033[32m", [NR_TONE_PENDING] = "\033[33m",
    [NR_TONE_BAD] = "\033[31m", [NR_TONE_QUIET] = "\033[2m",
};

static void row_free(gpointer data)
{
    Row *row = data;

    g_ptr_array_unref(row->cells);
    g_ptr_array_unref(row->remarks);
    g_free(row);
}

NrTable *nr_table_new(const NrColumn *columns)
{
    NrTable *table = g_new0(NrTable, 1);

    table->columns = columns;
    while (columns[table->count].title)
        table->count++;
    table->rows = g_ptr_array_new_with_free_func(row_free);
    return table;
}

void nr_table_free(NrTable *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->rows);
    g_free(table);
}

void nr_table_row(NrTable *table, guint toned, NrTone tone)
{
    Row *row = g_new0(Row, 1);

    row->cells = g_ptr_array_new_with_free_func(g_free);
    row->remarks = g_ptr_array_new_with_free_func(g_free);
    row->toned = toned;
    row->tone = tone;
    g_ptr_array_add(table->rows, row);
}

static Row *newest_row(NrTable *table)
{
    return g_ptr_array_index(table->rows, table->rows->len - 1);
}

void nr_table_cell(NrTable *table, const char *text)
{
    Row *row = newest_row(table);

    g_return_if_fail(row->cells->len < table->count);
    g_ptr_array_add(row->cells, text && *text ? nr_printable(text) : g_strdup("-"));
}

void nr_table_remark(NrTable *table, const char *text)
{
    g_ptr_array_add(newest_row(table)->remarks, nr_printable(text));
}

guint nr_text_width_of(gunichar c)
{
    if (g_unichar_iszerowidth(c))
        return 0;
    return g_unichar_iswide(c) ? 2 : 1;
}

/* Columns on a terminal; the text is printable, and thereby valid UTF-8. */
static guint text_width(const char *text)
{
    guint width = 0;

    for (const char *p = text; *p; p = g_utf8_next_char(p))
        width += nr_text_width_of(g_utf8_get_char(p));
    return width;
}

static guint column_width(const NrTable *table, guint column)
{
    guint width = text_width(table->columns[column].title);

    for (guint i = 0; i < table->rows->len; i++) {
        const Row *row = g_ptr_array_index(table->rows, i);

        if (column < row->cells->len)
            width = MAX(width, text_width(g_ptr_array_index(row->cells, column)));
    }
    return width;
}

/* Shortening */

static gboolean is_shortened(const NrColumn *column)
{
    return column->kind == NR_COLUMN_NAME || column->kind == NR_COLUMN_ADDRESS;
}

/* New string. */
static char *without_end(const char *text, guint width)
{
    const char *end = text;

    for (guint used = 0; *end; end = g_utf8_next_char(end)) {
        used += nr_text_width_of(g_utf8_get_char(end));
        if (used >= width)
            break;
    }
    return g_strdup_printf("%.*s" ELLIPSIS, (int)(end - text), text);
}

/* New string. */
static char *without_beginning(const char *text, guint width)
{
    guint left = text_width(text);

    /* A mark goes with the character that it stands on. */
    while (left >= width || (*text && nr_text_width_of(g_utf8_get_char(text)) == 0)) {
        left -= nr_text_width_of(g_utf8_get_char(text));
        text = g_utf8_next_char(text);
    }
    return g_strconcat(ELLIPSIS, text, NULL);
}

/* New string. */
static char *without_middle(const char *text, guint width)
{
    guint head = (width - 1) / 2;
    g_autofree char *begin = without_end(text, head + 1);
    g_autofree char *end = without_beginning(text, width - head);

    return g_strconcat(begin, end + strlen(ELLIPSIS), NULL);
}

/* New string, no wider than that. */
static char *shortened(const char *text, NrColumnKind kind, guint width)
{
    if (text_width(text) <= width)
        return g_strdup(text);
    return kind == NR_COLUMN_NAME ? without_middle(text, width) : without_beginning(text, width);
}

/* The widest column that may still become narrower, or -1. */
static int widest(const NrTable *table, const guint *widths)
{
    int found = -1;

    for (guint i = 0; i < table->count; i++) {
        const NrColumn *column = &table->columns[i];

        if (is_shortened(column) && widths[i] > MAX(WIDTH_MIN, text_width(column->title)) &&
            (found < 0 || widths[i] > widths[found]))
            found = (int)i;
    }
    return found;
}

static guint room_needed(const NrTable *table, const guint *widths)
{
    guint sum = 0;

    for (guint i = 0; i < table->count; i++)
        sum += widths[i] ? (sum ? GAP : 0) + widths[i] : 0;
    return sum;
}

/* The next to be left out, or -1. */
static int sparest(const NrTable *table, const guint *widths)
{
    int found = -1;

    for (guint i = 0; i < table->count; i++)
        if (widths[i] && table->columns[i].spare &&
            (found < 0 || table->columns[i].spare < table->columns[found].spare))
            found = (int)i;
    return found;
}

/* Takes from the widest ones, so that what is narrow anyway stays whole. */
static void narrow(const NrTable *table, guint *widths, guint room)
{
    int column;

    for (guint sum = room_needed(table, widths);
         sum > room && (column = widest(table, widths)) >= 0; sum--)
        widths[column]--;
}

/* The width of each column; 0: it is left out, and the others may be wider again. */
static void fit(const NrTable *table, guint *widths, guint room)
{
    int column;

    for (;;) {
        for (guint i = 0; i < table->count; i++)
            widths[i] = widths[i] ? column_width(table, i) : 0;
        if (!room)
            return;
        narrow(table, widths, room);
        if (room_needed(table, widths) <= room || (column = sparest(table, widths)) < 0)
            return;
        widths[column] = 0;
    }
}

/* Lines */

static void append_blanks(GString *lines, guint count)
{
    g_string_append_printf(lines, "%*s", (int)count, "");
}

static void append_cell(GString *lines, const NrColumn *is, guint width, const char *whole,
                        const char *code)
{
    g_autofree char *text = is_shortened(is) ? shortened(whole, is->kind, width) : g_strdup(whole);
    guint padding = width - text_width(text);
    gboolean right = is->kind == NR_COLUMN_NUMBER;

    if (right)
        append_blanks(lines, padding);
    g_string_append_printf(lines, "%s%s%s", code, text, *code ? "\033[0m" : "");
    if (!right)
        append_blanks(lines, padding);
}

/* Missing ones are blank. */
static void append_cells(GString *lines, const NrTable *table, const GPtrArray *cells,
                         const guint *widths, guint toned, const char *code)
{
    gboolean first = TRUE;

    for (guint i = 0; i < MIN(table->count, cells->len); i++) {
        if (!widths[i])
            continue;
        append_blanks(lines, first ? 0 : GAP);
        append_cell(lines, &table->columns[i], widths[i], cells->pdata[i], i == toned ? code : "");
        first = FALSE;
    }
    while (lines->len > 0 && lines->str[lines->len - 1] == ' ')
        g_string_truncate(lines, lines->len - 1);
    g_string_append_c(lines, '\n');
}

/* In lines that end with a word, where there is a width to keep to. */
static void append_remark(GString *lines, const char *text, guint room)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    guint used = 0;

    for (guint i = 0; words[i]; i++) {
        guint width = text_width(words[i]);
        gboolean begins = i == 0 || (room && used + 1 + width > room);

        if (begins) {
            g_string_append(lines, i ? "\n" : "");
            append_blanks(lines, REMARK_INDENT);
            used = REMARK_INDENT;
        }
        g_string_append_printf(lines, "%s%s", begins ? "" : " ", words[i]);
        used += (begins ? 0 : 1) + width;
    }
    g_string_append_c(lines, '\n');
}

static void append_title(GString *lines, const NrTable *table, const guint *widths)
{
    g_autoptr(GPtrArray) titles = g_ptr_array_new();

    for (guint i = 0; i < table->count; i++)
        g_ptr_array_add(titles, (gpointer)table->columns[i].title);
    append_cells(lines, table, titles, widths, 0, "");
}

char *nr_table_text(const NrTable *table, guint room)
{
    g_autofree guint *widths = g_new(guint, table->count);
    GString *lines = g_string_new(NULL);
    gboolean colour = nr_terminal_wants_colour();

    for (guint i = 0; i < table->count; i++)
        widths[i] = 1;
    fit(table, widths, room);
    append_title(lines, table, widths);
    for (guint i = 0; i < table->rows->len; i++) {
        const Row *row = g_ptr_array_index(table->rows, i);

        append_cells(lines, table, row->cells, widths, row->toned,
                     colour ? tone_codes[row->tone] : "");
        for (guint k = 0; k < row->remarks->len; k++)
            append_remark(lines, g_ptr_array_index(row->remarks, k), room);
    }
    return g_string_free(lines, FALSE);
}

void nr_table_print(const NrTable *table)
{
    g_autofree char *text = nr_table_text(table, 0);

    fputs(text, stdout);
}

char *nr_human_number(guint64 number)
{
    static const char units[] = "KMGTPE";
    double value = (double)number;
    int unit = -1;

    if (number < 1024)
        return g_strdup_printf("%" G_GUINT64_FORMAT, number);
    /* 1023.9K would be rounded up to 1024K. */
    while (value >= 999.5 && units[unit + 1]) {
        value /= 1024;
        unit++;
    }
    return g_strdup_printf(value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}
