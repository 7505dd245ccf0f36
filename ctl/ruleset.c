/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ruleset.h"

#include <string.h>

static void chain_free(gpointer data)
{
    NrChain *chain = data;

    g_free(chain->family);
    g_free(chain->table);
    g_free(chain->name);
    g_free(chain->hook);
    g_ptr_array_unref(chain->rules);
    g_free(chain);
}

/* --- words */

/* Where a "..." that begins here ends. */
static const char *skip_quoted(const char *at)
{
    const char *end = strchr(at + 1, '"');

    return end ? end + 1 : at + strlen(at);
}

/* The same of {...}. */
static const char *skip_braces(const char *at)
{
    guint depth = 0;

    do {
        if (*at == '"') {
            at = skip_quoted(at);
            continue;
        }
        depth += *at == '{';
        depth -= *at == '}';
        at++;
    } while (*at && depth > 0);
    return at;
}

/* A block's brace is the last thing in its line; one of a set is not. */
static gboolean opens_block(const char *at)
{
    at++;
    at += strspn(at, " \t");
    return *at == '\n' || *at == '#' || !*at;
}

static const char *skip_word(const char *at)
{
    if (*at == '"')
        return skip_quoted(at);
    if (*at == '{')
        return opens_block(at) ? at + 1 : skip_braces(at);
    return at + MAX(strcspn(at, " \t\n;{\""), 1);
}

char **nr_ruleset_words(const char **at)
{
    GPtrArray *words = g_ptr_array_new();

    while (**at && **at != '\n') {
        const char *end = skip_word(*at);

        if (strchr(" \t;", **at))
            end = *at + strspn(*at, " \t;");
        else if (**at == '#') /* a handle */
            end = *at + strcspn(*at, "\n");
        else
            g_ptr_array_add(words, g_strndup(*at, (gsize)(end - *at)));
        *at = end;
    }
    *at += **at == '\n';
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

char **nr_ruleset_elements(const char *word)
{
    g_autofree char *inner = NULL;
    char **elements;

    if (*word != '{')
        return g_strsplit(word, *word == '"' ? "\n" : ",", -1);
    inner = g_strndup(word + 1, MAX(strlen(word), 2) - 2);
    elements = g_strsplit(inner, ",", -1);
    for (guint i = 0; elements[i]; i++)
        g_strstrip(elements[i]);
    return elements;
}

/* --- rules */

static char **join(char *const *first, gsize count, char *const *second)
{
    GPtrArray *all = g_ptr_array_new();

    for (gsize i = 0; i < count; i++)
        g_ptr_array_add(all, g_strdup(first[i]));
    for (; *second; second++)
        g_ptr_array_add(all, g_strdup(*second));
    g_ptr_array_add(all, NULL);
    return (char **)g_ptr_array_free(all, FALSE);
}

/* "ct state vmap { new : accept, invalid : drop }": two rules, each with one of its values. */
static void add_mapped(GPtrArray *rules, char *const *words, gsize before, const char *map)
{
    g_auto(GStrv) elements = nr_ruleset_elements(map);

    for (guint i = 0; elements[i]; i++) {
        g_auto(GStrv) halves = g_strsplit(elements[i], " : ", 2);
        g_autofree char *text =
            halves[0] && halves[1] ? g_strdup_printf("%s %s", halves[0], halves[1]) : g_strdup("?");
        const char *at = text;
        g_auto(GStrv) rest = nr_ruleset_words(&at);

        g_ptr_array_add(rules, join(words, before, rest));
    }
}

/* Takes the words. */
static void add_rule(GPtrArray *rules, char **words)
{
    for (gsize i = 0; words[i] && !g_str_equal(words[i], "."); i++) {
        if (!g_str_equal(words[i], "vmap") || !words[i + 1] || words[i + 1][0] != '{')
            continue;
        add_mapped(rules, words, i, words[i + 1]);
        g_strfreev(words);
        return;
    }
    g_ptr_array_add(rules, words);
}

/* --- chains */

typedef struct {
    GPtrArray *chains;
    char *family, *table; /* the table that is open */
    gboolean sleeps;      /* it is dormant */
    NrChain *chain;       /* the chain that is open, or NULL */
    guint depth;
} Parser;

/* "type filter hook forward priority filter; policy drop;" */
static void read_base(NrChain *chain, char *const *words)
{
    for (; *words && words[1]; words++) {
        if (g_str_equal(words[0], "type") && !g_str_equal(words[1], "filter"))
            return;
        if (g_str_equal(words[0], "hook"))
            chain->hook = g_strdup(words[1]);
        if (g_str_equal(words[0], "policy"))
            chain->drops = g_str_equal(words[1], "drop");
    }
}

static void open_block(Parser *parser, char *const *words)
{
    gboolean named = words[0] && words[1] && words[2];

    if (parser->depth == 0 && named) {
        g_free(parser->family);
        g_free(parser->table);
        parser->family = g_strdup(words[1]);
        parser->table = g_strdup(words[2]);
        parser->sleeps = FALSE;
    }
    if (parser->depth == 1 && named && g_str_equal(words[0], "chain") && !parser->sleeps) {
        parser->chain = g_new0(NrChain, 1);
        parser->chain->family = g_strdup(parser->family);
        parser->chain->table = g_strdup(parser->table);
        parser->chain->name = g_strdup(words[1]);
        parser->chain->rules = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
        g_ptr_array_add(parser->chains, parser->chain);
    }
    parser->depth++;
}

static void close_block(Parser *parser)
{
    parser->depth -= parser->depth > 0;
    if (parser->depth < 2)
        parser->chain = NULL;
}

/* Takes the words, of which there is one at least. */
static void read_line(Parser *parser, char **words)
{
    gboolean ends = g_str_equal(words[0], "}");
    gboolean opens = g_str_equal(words[g_strv_length(words) - 1], "{");

    if (parser->chain && !ends && !opens && !g_str_equal(words[0], "type")) {
        add_rule(parser->chain->rules, words);
        return;
    }
    if (ends)
        close_block(parser);
    else if (opens)
        open_block(parser, words);
    else if (parser->chain)
        read_base(parser->chain, words);
    else if (parser->depth == 1 && g_str_equal(words[0], "flags"))
        parser->sleeps = g_strv_contains((const char *const *)words, "dormant");
    g_strfreev(words);
}

GPtrArray *nr_ruleset_parse(const char *listing)
{
    Parser parser = { .chains = g_ptr_array_new_with_free_func(chain_free) };

    while (*listing) {
        char **words = nr_ruleset_words(&listing);

        if (*words)
            read_line(&parser, words);
        else
            g_strfreev(words);
    }
    g_free(parser.family);
    g_free(parser.table);
    return parser.chains;
}

const NrChain *nr_ruleset_find(const GPtrArray *chains, const char *family, const char *table,
                               const char *name)
{
    for (guint i = 0; i < chains->len; i++) {
        const NrChain *chain = chains->pdata[i];

        if (g_str_equal(chain->name, name) && g_str_equal(chain->family, family) &&
            g_str_equal(chain->table, table))
            return chain;
    }
    return NULL;
}
