/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/nic-limits.h"

#include "common/port-options.h"

/* "50 KiB/s (peak 60 KiB/s, burst 64 KiB)" */
static void append_rate(GString *text, const char *verb, const struct port_rate *rate)
{
    if (!rate->average)
        return;
    g_string_append_printf(text, "%s%s %u KiB/s", text->len ? ", " : "", verb, rate->average);
    if (rate->peak)
        g_string_append_printf(text, " (peak %u KiB/s", rate->peak);
    if (rate->burst)
        g_string_append_printf(text, "%s %u KiB", rate->peak ? ", burst" : " (burst", rate->burst);
    if (rate->peak || rate->burst)
        g_string_append_c(text, ')');
}

/* The manager sets nothing else. */
static gboolean has_words(const struct port_options *options)
{
    return !options->guest && !options->limits_storm && options->n_rules == 0 &&
           (!options->pin || !mac_is_zero(options->pin_mac));
}

char *nr_limits_text(const char *options)
{
    g_autofree char *whole = g_strconcat(",", options, NULL);
    struct port_options parsed = { 0 };
    char mac[MAC_TEXT_MAX];
    GString *text;

    if (!options || !*options)
        return NULL;
    if (port_options_parse(&parsed, whole) || !has_words(&parsed))
        return g_strdup(options);
    text = g_string_new(NULL);
    append_rate(text, "sends at most", &parsed.ingress);
    append_rate(text, "gets at most", &parsed.egress);
    if (parsed.pin)
        g_string_append_printf(text, "%spinned to %s", text->len ? ", " : "",
                               mac_format(parsed.pin_mac, mac));
    return g_string_free(text, FALSE);
}
