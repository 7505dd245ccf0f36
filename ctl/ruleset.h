/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset as nft(8) lists it. The text and not its JSON, because that hides what a rule of
 * iptables-nft asks for: "xt", where the text has "ct state established".
 */
#ifndef NR_CTL_RULESET_H
#define NR_CTL_RULESET_H

#include <glib.h>

typedef struct {
    char *family, *table, *name;
    char *hook;       /* of a chain that filters there; NULL: packets come by a jump only */
    gboolean drops;   /* its policy, at its end */
    GPtrArray *rules; /* char **: its words, where "..." and {...} are one each */
} NrChain;

/* NrChain, in their order, without those of tables that sleep. A rule with a map from values to
 * verdicts comes as one rule for each value. */
GPtrArray *nr_ruleset_parse(const char *listing);
/* In that table; NULL: none. Borrowed. */
const NrChain *nr_ruleset_find(const GPtrArray *chains, const char *family, const char *table,
                               const char *name);

/* The words of a text, up to the end of its line, or of the last line of {...} in it. A "{" that
 * ends a line is a word. *at is behind it. NULL-terminated, new. */
char **nr_ruleset_words(const char **at);
/* What is in "{ a, b }", or the one word itself. NULL-terminated, new. */
char **nr_ruleset_elements(const char *word);

#endif
