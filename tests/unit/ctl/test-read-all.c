/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/read-all.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Writes so much, slowly enough to be more than one read, and hangs up. */
static gpointer writer_thread(gpointer data)
{
    int *pipe_end = data; /* descriptor, and how many bytes */
    g_autofree char *block = g_malloc0(1000);

    for (int left = pipe_end[1]; left > 0; left -= 1000)
        g_assert_cmpint(write(pipe_end[0], block, (gsize)MIN(left, 1000)), >, 0);
    close(pipe_end[0]);
    return NULL;
}

static int read_written(int bytes, gsize limit, GByteArray **ret)
{
    int ends[2];
    int job[2];
    GThread *thread;
    int r;

    g_assert_cmpint(pipe(ends), ==, 0);
    job[0] = ends[1];
    job[1] = bytes;
    thread = g_thread_new("writer", writer_thread, job);
    r = nr_read_all(ends[0], limit, 10000, ret);
    g_thread_join(thread);
    close(ends[0]);
    return r;
}

static void test_whole(void)
{
    g_autoptr(GByteArray) none = NULL;
    g_autoptr(GByteArray) some = NULL;

    g_assert_cmpint(read_written(0, 10, &none), ==, 0);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_cmpint(read_written(300000, 300000, &some), ==, 0);
    g_assert_cmpuint(some->len, ==, 300000);
}

/* The writer is not cut off: writer_thread() would fail, or be killed. */
static void test_too_much(void)
{
    g_autoptr(GByteArray) none = NULL;

    g_assert_cmpint(read_written(300001, 300000, &none), ==, -EFBIG);
    g_assert_null(none);
}

static void test_writer_that_stays(void)
{
    g_autoptr(GByteArray) none = NULL;
    gint64 began = g_get_monotonic_time();
    int ends[2];

    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(write(ends[1], "half", 4), ==, 4);
    g_assert_cmpint(nr_read_all(ends[0], 100, 200, &none), ==, -ETIMEDOUT);
    g_assert_cmpint(g_get_monotonic_time() - began, >=, 150000);
    g_assert_cmpint(g_get_monotonic_time() - began, <, 5000000);
    close(ends[0]);
    close(ends[1]);
}

static void test_no_descriptor(void)
{
    g_autoptr(GByteArray) none = NULL;
    int fd = dup(STDIN_FILENO);

    close(fd);
    g_assert_cmpint(nr_read_all(fd, 100, 1000, &none), <, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/read-all/whole", test_whole);
    g_test_add_func("/ctl/read-all/too-much", test_too_much);
    g_test_add_func("/ctl/read-all/writer-that-stays", test_writer_that_stays);
    g_test_add_func("/ctl/read-all/no-descriptor", test_no_descriptor);
    return g_test_run();
}
