/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzz target without a fuzzer: on each file in the folders of its arguments, as it is, cut
 * off at many places, and with single bytes changed. TAP, a line for each folder. */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CUTS    64
#define CHANGES 256

/* Copies exactly: a byte read beyond the end is then one that a sanitizer knows. */
static void run_exactly(const char *text, gsize length)
{
    g_autofree uint8_t *copy = g_memdup2(text, MAX(length, 1));

    LLVMFuzzerTestOneInput(copy, length);
}

static void run_file(const char *path, GRand *random)
{
    g_autofree char *text = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(path, &text, &length, NULL));
    run_exactly(text, length);
    for (guint i = 0; i < CUTS; i++)
        run_exactly(text, length * i / CUTS);
    for (guint i = 0; i < CHANGES && length > 0; i++) {
        gsize at = (gsize)g_rand_int_range(random, 0, (gint32)length);
        char before = text[at];

        text[at] = (char)g_rand_int(random);
        run_exactly(text, length);
        text[at] = before;
    }
}

static guint run_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GRand) random = g_rand_new_with_seed(1); /* the same each time */
    const char *name;
    guint files = 0;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            run_file(path, random);
            files++;
        }
    }
    return files;
}

int main(int argc, char *argv[])
{
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++)
        printf("%sok %d - %s\n", run_folder(argv[i]) > 0 ? "" : "not ", i, argv[i]);
    return 0;
}
