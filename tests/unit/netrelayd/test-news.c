/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/news.h"

typedef struct {
    NrNews *news;
    guint added;
    guint64 position;
} Reader;

static void on_added(gpointer data)
{
    ((Reader *)data)->added++;
}

static Reader reader_new(void)
{
    return (Reader){ .news = nr_news_new() };
}

static void reader_begin(Reader *reader)
{
    nr_news_read_by(reader->news, on_added, reader);
}

static void add_number(NrNews *news, guint32 number)
{
    nr_news_add(news, g_variant_new_parsed("@a{sv} {'number': <%u>}", number));
}

/* How many came; *ret_first: the number of the first. */
static gsize read_some(Reader *reader, guint32 *ret_first, guint64 *ret_missed)
{
    g_autoptr(GVariant) list =
        g_variant_ref_sink(nr_news_read(reader->news, &reader->position, ret_missed));
    gsize count = g_variant_n_children(list);

    *ret_first = 0;
    if (count > 0) {
        g_autoptr(GVariant) first = g_variant_get_child_value(list, 0);
        double time = 0;

        g_variant_lookup(first, "number", "u", ret_first);
        g_assert_true(g_variant_lookup(first, "time", "d", &time));
        g_assert_cmpfloat(time, >, 1e9);
    }
    return count;
}

/* Without readers there is nothing to be kept. */
static void test_nobody_reads(void)
{
    Reader reader = reader_new();

    add_number(reader.news, 1);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "one");
    g_assert_cmpuint(nr_news_end(reader.news), ==, 0);
    nr_news_free(reader.news);
}

static void test_in_order(void)
{
    Reader reader = reader_new();
    guint64 missed;
    guint32 first;

    reader_begin(&reader);
    for (guint32 i = 0; i < NR_NEWS_AT_ONCE + 2; i++)
        add_number(reader.news, i);
    g_assert_cmpuint(reader.added, ==, NR_NEWS_AT_ONCE + 2);
    g_assert_cmpuint(read_some(&reader, &first, &missed), ==, NR_NEWS_AT_ONCE);
    g_assert_cmpuint(first, ==, 0);
    g_assert_cmpuint(missed, ==, 0);
    g_assert_cmpuint(read_some(&reader, &first, &missed), ==, 2);
    g_assert_cmpuint(first, ==, NR_NEWS_AT_ONCE);
    g_assert_cmpuint(missed, ==, 0);
    g_assert_cmpuint(read_some(&reader, &first, &missed), ==, 0);
    nr_news_free(reader.news);
}

/* D10: one who is too slow misses the oldest, is told how many, and goes on. */
static void test_too_slow(void)
{
    Reader reader = reader_new();
    guint64 missed;
    guint32 first;

    reader_begin(&reader);
    for (guint32 i = 0; i < NR_NEWS_MAX + 10; i++)
        add_number(reader.news, i);
    g_assert_cmpuint(read_some(&reader, &first, &missed), ==, NR_NEWS_AT_ONCE);
    g_assert_cmpuint(first, ==, 10);
    g_assert_cmpuint(missed, ==, 10);
    g_assert_cmpuint(read_some(&reader, &first, &missed), ==, NR_NEWS_AT_ONCE);
    g_assert_cmpuint(first, ==, 10 + NR_NEWS_AT_ONCE);
    g_assert_cmpuint(missed, ==, 0);
    nr_news_free(reader.news);
}

/* The sentences that are watched for repetitions are bounded: one too many is told each time. */
static void test_many_sentences(void)
{
    Reader reader = reader_new();

    reader_begin(&reader);
    for (guint i = 0; i < NR_NEWS_MAX; i++)
        nr_news_tell(reader.news, "stranger", "lab", NULL, "stranger %u", i);
    g_assert_cmpuint(reader.added, ==, NR_NEWS_MAX);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "stranger %u", 0);
    g_assert_cmpuint(reader.added, ==, NR_NEWS_MAX);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "stranger %u", NR_NEWS_MAX - 1);
    g_assert_cmpuint(reader.added, ==, NR_NEWS_MAX + 1);
    nr_news_free(reader.news);
}

static void test_words(void)
{
    Reader reader = reader_new();
    const char *event, *network, *guest, *text;
    g_autoptr(GVariant) list = NULL;
    g_autoptr(GVariant) told = NULL;
    guint64 missed;

    reader_begin(&reader);
    nr_news_tell(reader.news, "stranger", "lab", "vm1", "a %s", "stranger");
    list = g_variant_ref_sink(nr_news_read(reader.news, &reader.position, &missed));
    told = g_variant_get_child_value(list, 0);
    g_assert_true(g_variant_lookup(told, "event", "&s", &event));
    g_assert_true(g_variant_lookup(told, "network", "&s", &network));
    g_assert_true(g_variant_lookup(told, "guest", "&s", &guest));
    g_assert_true(g_variant_lookup(told, "text", "&s", &text));
    g_assert_cmpstr(event, ==, "stranger");
    g_assert_cmpstr(network, ==, "lab");
    g_assert_cmpstr(guest, ==, "vm1");
    g_assert_cmpstr(text, ==, "a stranger");
    nr_news_free(reader.news);
}

/* The next reader is told anew what the last one was told just before it went. */
static void test_another_reader(void)
{
    Reader reader = reader_new();

    reader_begin(&reader);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "a stranger");
    nr_news_read_by(reader.news, NULL, NULL);
    reader_begin(&reader);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "a stranger");
    g_assert_cmpuint(reader.added, ==, 2);
    nr_news_free(reader.news);
}

static gboolean on_rested(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Until after the news' own timers that run now. */
static void rest(void)
{
    gboolean rested = FALSE;

    g_timeout_add(NR_NEWS_REST_MS + 50, on_rested, &rested);
    while (!rested)
        g_main_context_iteration(NULL, TRUE);
}

/* The same sentence at once: told, and later told as one with a count, once. */
static void test_repetitions(void)
{
    Reader reader = reader_new();
    g_autoptr(GVariant) list = NULL;
    g_autoptr(GVariant) last = NULL;
    guint64 missed;
    guint32 count = 0;

    reader_begin(&reader);
    for (guint i = 0; i < 100; i++)
        nr_news_tell(reader.news, "stranger", "lab", NULL, "a stranger");
    nr_news_tell(reader.news, "stranger", "lab", NULL, "another one");
    g_assert_cmpuint(reader.added, ==, 2);
    rest();
    g_assert_cmpuint(reader.added, ==, 3);
    rest();
    g_assert_cmpuint(reader.added, ==, 3);
    list = g_variant_ref_sink(nr_news_read(reader.news, &reader.position, &missed));
    g_assert_cmpuint(g_variant_n_children(list), ==, 3);
    last = g_variant_get_child_value(list, 2);
    g_assert_true(g_variant_lookup(last, "count", "u", &count));
    g_assert_cmpuint(count, ==, 99);
    nr_news_free(reader.news);
}

/* What has come to rest is told at once again. */
static void test_rest(void)
{
    Reader reader = reader_new();

    reader_begin(&reader);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "a stranger");
    rest();
    g_assert_cmpuint(reader.added, ==, 1);
    nr_news_tell(reader.news, "stranger", "lab", NULL, "a stranger");
    g_assert_cmpuint(reader.added, ==, 2);
    nr_news_free(reader.news);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/news/nobody-reads", test_nobody_reads);
    g_test_add_func("/news/in-order", test_in_order);
    g_test_add_func("/news/too-slow", test_too_slow);
    g_test_add_func("/news/many-sentences", test_many_sentences);
    g_test_add_func("/news/words", test_words);
    g_test_add_func("/news/another-reader", test_another_reader);
    g_test_add_func("/news/repetitions", test_repetitions);
    g_test_add_func("/news/rest", test_rest);
    return g_test_run();
}
