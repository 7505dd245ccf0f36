/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void test_human_numbers(void)
{
    static const struct {
        guint64 number;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 1023, "1023" },
        { 1024, "1.0K" },
        { 1536, "1.5K" },
        { 10239, "10K" }, /* not 10.0K */
        { 1023 * 1024, "1.0M" },
        { 999 * 1024, "999K" },
        { 5ull << 30, "5.0G" },
        { G_MAXUINT64, "16E" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = nr_human_number(rows[i].number);

        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

/* What nr_table_print() writes. New string. */
static char *printed(const NrTable *table)
{
    g_autofree char *path = NULL;
    char *text = NULL;
    int fd = g_file_open_tmp("table-XXXXXX", &path, NULL);
    int saved = dup(STDOUT_FILENO);

    fflush(stdout);
    g_assert_cmpint(dup2(fd, STDOUT_FILENO), >=, 0);
    nr_table_print(table);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    unlink(path);
    return text;
}

static const NrColumn columns[] = {
    { "NAME", NR_COLUMN_TEXT }, { "RX", NR_COLUMN_NUMBER }, { "STATE", NR_COLUMN_TEXT }, { NULL, 0 }
};

static void test_layout(void)
{
    g_autoptr(NrTable) table = nr_table_new(columns);
    g_autofree char *text = NULL;

    nr_table_row(table, 2, NR_TONE_GOOD);
    nr_table_cell(table, "longer name");
    nr_table_cell(table, "1.5K");
    nr_table_cell(table, "connected");
    nr_table_row(table, 2, NR_TONE_BAD);
    nr_table_cell(table, "");
    nr_table_cell(table, NULL);
    nr_table_cell(table, "refused");
    nr_table_remark(table, "because");
    text = printed(table);
    g_assert_cmpstr(text, ==,
                    "NAME           RX  STATE\n"
                    "longer name  1.5K  connected\n"
                    "-               -  refused\n"
                    "    because\n");
}

/* Wide and combining characters take the room that a terminal gives them. */
static void test_widths(void)
{
    g_autoptr(NrTable) table = nr_table_new(columns);
    g_autofree char *text = NULL;
    const char *names[] = { "\346\227\245\346\234\254", "u\314\210", "abcd" };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        nr_table_row(table, 2, NR_TONE_PLAIN);
        nr_table_cell(table, names[i]);
        nr_table_cell(table, "7");
        nr_table_cell(table, "x");
    }
    text = printed(table);
    g_assert_cmpstr(text, ==,
                    "NAME  RX  STATE\n"
                    "\346\227\245\346\234\254   7  x\n"
                    "u\314\210      7  x\n"
                    "abcd   7  x\n");
}

static void test_hostile_text(void)
{
    g_autoptr(NrTable) table = nr_table_new(columns);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    nr_table_row(table, 2, NR_TONE_PLAIN);
    nr_table_cell(table, "\033[31mred\n\342\200\256x\377%n%s");
    nr_table_cell(table, "7");
    nr_table_cell(table, "x");
    nr_table_remark(table, "line\nbreak\r");
    text = printed(table);
    for (const char *c = text; *c; c++)
        g_assert_true(*c == '\n' || (guchar)*c >= ' ');
    g_assert_null(strstr(text, "\342\200\256"));
    g_assert_nonnull(strstr(text, "%n%s"));
    g_assert_true(g_utf8_validate(text, -1, NULL));
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 4); /* the last one is empty */
}

#define DOTS "\342\200\246"
#define WIDE "\346\274\242" /* two columns */
#define MARK "\314\210"     /* none */

static const NrColumn narrow_columns[] = {
    { "NAME", NR_COLUMN_NAME },
    { "AT", NR_COLUMN_ADDRESS },
    { "RX", NR_COLUMN_NUMBER },
    { NULL, 0 },
};

/* In so much room: the widest texts give way, the names' middles and the addresses' beginnings. */
static void test_room(void)
{
    static const struct {
        guint room;
        const char *name, *address;
        const char *line; /* or NULL: as if there were room for all */
    } rows[] = {
        { 0, "a-long-name", "127.0.0.1:12345", NULL },
        { 32, "a-long-name", "127.0.0.1:12345", NULL },
        { 31, "a-long-name", "127.0.0.1:12345", "a-long-name  " DOTS "7.0.0.1:12345  99" },
        { 28, "a-long-name", "127.0.0.1:12345", "a-long-name  " DOTS ".0.1:12345  99" },
        { 22, "a-long-name", "127.0.0.1:12345", "a-l" DOTS "name  " DOTS "1:12345  99" },
        { 1, "a-long-name", "127.0.0.1:12345", "a-" DOTS "ame  " DOTS "12345  99" },
        { 1, "short", "::1", NULL },
        { 1, WIDE WIDE WIDE WIDE, "abcdefgh", WIDE DOTS WIDE "   " DOTS "defgh  99" },
        { 1, "a" MARK "bcde" MARK "fghi", "::1", "a" MARK "b" DOTS "ghi  ::1  99" },
        { 1, "short", "a" MARK "bcd" MARK "efghi", "short  " DOTS "efghi  99" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(NrTable) table = nr_table_new(narrow_columns);
        g_autofree char *text = NULL, *whole = NULL;
        g_auto(GStrv) lines = NULL;

        nr_table_row(table, 2, NR_TONE_PLAIN);
        nr_table_cell(table, rows[i].name);
        nr_table_cell(table, rows[i].address);
        nr_table_cell(table, "99");
        nr_table_remark(table, "remark");
        text = nr_table_text(table, rows[i].room);
        whole = nr_table_text(table, 0);
        lines = g_strsplit(text, "\n", -1);
        if (rows[i].line)
            g_assert_cmpstr(lines[1], ==, rows[i].line);
        else
            g_assert_cmpstr(text, ==, whole);
        g_assert_cmpstr(lines[2], ==, "    remark");
    }
}

/* Where not even the shortest texts have room, what can be spared goes first, and no counter. */
static void test_spared(void)
{
    static const NrColumn spared[] = {
        { "NAME", NR_COLUMN_NAME },
        { "KIND", NR_COLUMN_TEXT, .spare = 1 },
        { "AT", NR_COLUMN_ADDRESS, .spare = 2 },
        { "RX", NR_COLUMN_NUMBER },
        { NULL },
    };
    static const struct {
        guint room;
        const char *text;
    } rows[] = {
        { 24, "NAME    KIND  AT      RX\na-" DOTS "ame  tap   " DOTS "12345  99\n" },
        { 23, "NAME      AT         RX\na-l" DOTS "name  " DOTS ".1:12345  99\n" },
        { 18, "NAME    AT      RX\na-" DOTS "ame  " DOTS "12345  99\n" },
        { 17, "NAME         RX\na-long-name  99\n" },
        { 1, "NAME    RX\na-" DOTS "ame  99\n" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(NrTable) table = nr_table_new(spared);
        g_autofree char *text = NULL;

        nr_table_row(table, 2, NR_TONE_PLAIN);
        nr_table_cell(table, "a-long-name");
        nr_table_cell(table, "tap");
        nr_table_cell(table, "127.0.0.1:12345");
        nr_table_cell(table, "99");
        text = nr_table_text(table, rows[i].room);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

/* Networks without a name are told apart by their ports. */
static void test_addresses_as_names(void)
{
    g_autoptr(NrTable) table = nr_table_new(narrow_columns);
    g_autofree char *text = NULL;

    for (guint port = 12345; port < 12347; port++) {
        g_autofree char *address = g_strdup_printf("127.0.0.1:%u", port);

        nr_table_row(table, 2, NR_TONE_PLAIN);
        nr_table_cell(table, address);
        nr_table_cell(table, "::1");
        nr_table_cell(table, "99");
    }
    text = nr_table_text(table, 19);
    g_assert_cmpstr(text, ==,
                    "NAME        AT   RX\n"
                    "127." DOTS "12345  ::1  99\n"
                    "127." DOTS "12346  ::1  99\n");
}

/* Between words, and what has no room nevertheless stays whole. */
static void test_remark(void)
{
    static const struct {
        guint room;
        const char *lines;
    } rows[] = {
        { 0, "    why, and netrelayctl helps\n" },
        { 30, "    why, and netrelayctl helps\n" },
        { 29, "    why, and netrelayctl\n    helps\n" },
        { 12, "    why, and\n    netrelayctl\n    helps\n" },
        { 1, "    why,\n    and\n    netrelayctl\n    helps\n" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(NrTable) table = nr_table_new(narrow_columns);
        g_autofree char *text = NULL;

        nr_table_row(table, 2, NR_TONE_PLAIN);
        nr_table_remark(table, "why, and netrelayctl helps");
        text = nr_table_text(table, rows[i].room);
        g_assert_cmpstr(strstr(text, "\n\n") + 2, ==, rows[i].lines);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/table/human-numbers", test_human_numbers);
    g_test_add_func("/ctl/table/layout", test_layout);
    g_test_add_func("/ctl/table/widths", test_widths);
    g_test_add_func("/ctl/table/spared", test_spared);
    g_test_add_func("/ctl/table/room", test_room);
    g_test_add_func("/ctl/table/addresses-as-names", test_addresses_as_names);
    g_test_add_func("/ctl/table/remark", test_remark);
    g_test_add_func("/ctl/table/hostile-text", test_hostile_text);
    return g_test_run();
}
