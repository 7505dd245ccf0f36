/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `events` is a ring by number: the one with number n is at n % NR_NEWS_MAX, and those from
 * end - NR_NEWS_MAX on are there. In `repeats` is what was told by itself (a stranger, a death)
 * less than NR_NEWS_REST_MS ago: its repetitions are counted, and told as one when that is over.
 */
#include "daemon/news.h"

#define REPEATS_MAX 256

typedef struct {
    NrNews *news;
    GVariant *event; /* without count and time */
    char *text;      /* the key */
    guint32 count;
    guint timer;
} Repeat;

struct NrNews {
    GVariant *events[NR_NEWS_MAX];
    guint64 end;
    void (*added)(gpointer data);
    gpointer data;
    GHashTable *repeats; /* text -> Repeat */
};

static void repeat_free(gpointer data)
{
    Repeat *repeat = data;

    g_source_remove(repeat->timer);
    g_variant_unref(repeat->event);
    g_free(repeat->text);
    g_free(repeat);
}

NrNews *nr_news_new(void)
{
    NrNews *news = g_new0(NrNews, 1);

    news->repeats = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, repeat_free);
    return news;
}

static void forget_all(NrNews *news)
{
    for (guint i = 0; i < NR_NEWS_MAX; i++)
        g_clear_pointer(&news->events[i], g_variant_unref);
    g_hash_table_remove_all(news->repeats);
}

void nr_news_free(NrNews *news)
{
    if (!news)
        return;
    forget_all(news);
    g_hash_table_unref(news->repeats);
    g_free(news);
}

void nr_news_read_by(NrNews *news, void (*added)(gpointer data), gpointer data)
{
    news->added = added;
    news->data = data;
    if (!added)
        forget_all(news);
}

void nr_news_add(NrNews *news, GVariant *event)
{
    g_autoptr(GVariant) owned = g_variant_ref_sink(event);
    GVariant **slot = &news->events[news->end % NR_NEWS_MAX];
    GVariantDict dict;

    if (!news->added)
        return;
    g_variant_dict_init(&dict, owned);
    g_variant_dict_insert(&dict, "time", "d", (double)g_get_real_time() / G_USEC_PER_SEC);
    g_clear_pointer(slot, g_variant_unref);
    *slot = g_variant_ref_sink(g_variant_dict_end(&dict));
    news->end++;
    news->added(news->data);
}

/* Repetitions */

static gboolean on_rested(gpointer data)
{
    Repeat *repeat = data;
    GVariantDict dict;

    if (repeat->count == 0) {
        repeat->timer = 0;
        g_hash_table_steal(repeat->news->repeats, repeat->text);
        g_variant_unref(repeat->event);
        g_free(repeat->text);
        g_free(repeat);
        return G_SOURCE_REMOVE;
    }
    g_variant_dict_init(&dict, repeat->event);
    g_variant_dict_insert(&dict, "count", "u", repeat->count);
    repeat->count = 0;
    nr_news_add(repeat->news, g_variant_dict_end(&dict));
    return G_SOURCE_CONTINUE;
}

static void remember(NrNews *news, const char *text, GVariant *event)
{
    Repeat *repeat;

    if (g_hash_table_size(news->repeats) >= REPEATS_MAX)
        return;
    repeat = g_new0(Repeat, 1);
    repeat->news = news;
    repeat->text = g_strdup(text);
    repeat->event = g_variant_ref(event);
    repeat->timer = g_timeout_add(NR_NEWS_REST_MS, on_rested, repeat);
    g_hash_table_insert(news->repeats, repeat->text, repeat);
}

static void put_text(GVariantDict *dict, const char *key, const char *text)
{
    if (text)
        g_variant_dict_insert_value(dict, key,
                                    g_variant_new_take_string(g_utf8_make_valid(text, -1)));
}

void nr_news_tell(NrNews *news, const char *event, const char *network, const char *guest,
                  const char *format, ...)
{
    g_autoptr(GVariant) told = NULL;
    g_autofree char *text = NULL;
    Repeat *repeat;
    GVariantDict dict;
    va_list args;

    if (!news->added)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    repeat = g_hash_table_lookup(news->repeats, text);
    if (repeat) {
        repeat->count++;
        return;
    }
    g_variant_dict_init(&dict, NULL);
    put_text(&dict, "event", event);
    put_text(&dict, "network", network);
    put_text(&dict, "guest", guest);
    put_text(&dict, "text", text);
    told = g_variant_ref_sink(g_variant_dict_end(&dict));
    remember(news, text, told);
    nr_news_add(news, told);
}

/* Reading */

guint64 nr_news_end(const NrNews *news)
{
    return news->end;
}

GVariant *nr_news_read(const NrNews *news, guint64 *position, guint64 *ret_missed)
{
    guint64 first = news->end > NR_NEWS_MAX ? news->end - NR_NEWS_MAX : 0;
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    *ret_missed = *position < first ? first - *position : 0;
    *position = MAX(*position, first);
    for (guint i = 0; i < NR_NEWS_AT_ONCE && *position < news->end; i++)
        g_variant_builder_add_value(&list, news->events[(*position)++ % NR_NEWS_MAX]);
    return g_variant_builder_end(&list);
}
