/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/port-options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_BITS 48

static const char expect_mac[] = "an Ethernet address, as in 52:54:00:12:34:56";
static const char expect_rule[] =
    "an Ethernet address, or its beginning as in 52:54:00:00:00:00/24";
static const char expect_rules[] = "at most 16 of allow= and deny= together";
static const char expect_storm[] = "frames a second from 0 (no limit) to 100000000";
static const char expect_nothing[] = "no value after it";
static const char expect_rate[] =
    "AVERAGE[:PEAK[:BURST]]: KiB a second from 1 to 100000000, KiB from 1 to 4000000";
static const char expect_peak[] = "AVERAGE[:PEAK[:BURST]] with a peak above the average";
static const char expect_options[] = "options, a comma before each";
static const char expect_no_group[] = "an address of one station, not of a group, nor zero";

static const char *add_pin(struct port_options *options, const char *value)
{
    options->pin = true;
    memset(&options->pin_mac, 0, sizeof(options->pin_mac));
    if (!value)
        return NULL;
    if (mac_parse(&options->pin_mac, value) < 0)
        return expect_mac;
    return mac_is_multicast(options->pin_mac) || mac_is_zero(options->pin_mac) ? expect_no_group
                                                                               : NULL;
}

static const char *add_guest(struct port_options *options, const char *value)
{
    options->guest = true;
    return value ? expect_nothing : NULL;
}

/* Digits only, no leading zero but for 0 itself. */
static bool read_digits(const char *text, uint32_t max, uint32_t *ret)
{
    size_t len = strlen(text);
    unsigned long n;

    if (len == 0 || len > 9 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
        return false;
    n = strtoul(text, NULL, 10);
    *ret = (uint32_t)n;
    return n <= max;
}

static const char *add_storm(struct port_options *options, const char *value)
{
    options->limits_storm = true;
    return value && read_digits(value, PORT_STORM_MAX, &options->storm) ? NULL : expect_storm;
}

/* Bits beyond the prefix say nothing, so they are not kept: equal rules have equal text. */
static void mask(struct mac_rule *rule)
{
    for (unsigned i = 0; i < MAC_LEN; ++i) {
        unsigned keep = rule->bits > i * 8 ? rule->bits - i * 8 : 0;

        if (keep < 8)
            rule->mac.b[i] &= (uint8_t)(0xff00 >> keep);
    }
}

static const char *add_rule(struct port_options *options, const char *value, bool deny)
{
    struct mac_rule rule = { .bits = MAC_BITS, .deny = deny };
    const char *slash = value ? strchr(value, '/') : NULL;
    char text[MAC_TEXT_MAX];
    uint32_t bits = MAC_BITS;
    size_t len;

    if (!value)
        return expect_rule;
    if (options->n_rules == PORT_RULES_MAX)
        return expect_rules;
    len = slash ? (size_t)(slash - value) : strlen(value);
    if (len >= sizeof(text) || (slash && (!read_digits(slash + 1, MAC_BITS, &bits) || bits == 0)))
        return expect_rule;
    memcpy(text, value, len);
    text[len] = '\0';
    if (mac_parse(&rule.mac, text) < 0)
        return expect_rule;
    rule.bits = (uint8_t)bits;
    mask(&rule);
    options->rule[options->n_rules++] = rule;
    return NULL;
}

static const char *add_allow(struct port_options *options, const char *value)
{
    return add_rule(options, value, false);
}

static const char *add_deny(struct port_options *options, const char *value)
{
    return add_rule(options, value, true);
}

/* The next of the numbers between colons; 0 where it is empty. */
static bool read_part(const char **text, uint32_t max, uint32_t *ret)
{
    size_t len = strcspn(*text, ":");
    char part[16];

    *ret = 0;
    if (len >= sizeof(part))
        return false;
    memcpy(part, *text, len);
    part[len] = '\0';
    *text += (*text)[len] == ':' ? len + 1 : len;
    return len == 0 || (read_digits(part, max, ret) && *ret > 0);
}

static const char *read_rate(struct port_rate *rate, const char *value)
{
    if (!value || !read_part(&value, PORT_RATE_MAX, &rate->average) || !rate->average ||
        !read_part(&value, PORT_RATE_MAX, &rate->peak) ||
        !read_part(&value, PORT_BURST_MAX, &rate->burst) || *value)
        return expect_rate;
    return rate->peak && rate->peak <= rate->average ? expect_peak : NULL;
}

static const char *add_ingress(struct port_options *options, const char *value)
{
    return read_rate(&options->ingress, value);
}

static const char *add_egress(struct port_options *options, const char *value)
{
    return read_rate(&options->egress, value);
}

static const struct {
    const char *key;
    const char *(*add)(struct port_options *options, const char *value);
} keys[] = {
    { "pin", add_pin },       { "allow", add_allow }, { "deny", add_deny },
    { "storm", add_storm },   { "guest", add_guest }, { "ingress", add_ingress },
    { "egress", add_egress },
};

const char *port_options_add(struct port_options *options, const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); ++i)
        if (strcmp(keys[i].key, key) == 0)
            return keys[i].add(options, value);
    return "";
}

const char *port_options_parse(struct port_options *options, const char *text)
{
    char item[MAC_TEXT_MAX + 64];
    const char *expected;

    *options = (struct port_options){ 0 };
    while (*text == ',') {
        size_t len = strcspn(++text, ",");
        char *value;

        if (len >= sizeof(item))
            return expect_options;
        memcpy(item, text, len);
        item[len] = '\0';
        text += len;
        value = strchr(item, '=');
        if (value)
            *value++ = '\0';
        expected = port_options_add(options, item, value);
        if (expected)
            return *expected ? expected : expect_options;
    }
    return *text ? expect_options : NULL;
}

static int format_pin(const struct port_options *options, char *buf, size_t size)
{
    char mac[MAC_TEXT_MAX];

    if (mac_is_zero(options->pin_mac))
        return snprintf(buf, size, ",pin");
    return snprintf(buf, size, ",pin=%s", mac_format(options->pin_mac, mac));
}

static int format_rule(const struct mac_rule *rule, char *buf, size_t size)
{
    const char *key = rule->deny ? "deny" : "allow";
    char mac[MAC_TEXT_MAX];

    mac_format(rule->mac, mac);
    if (rule->bits == MAC_BITS)
        return snprintf(buf, size, ",%s=%s", key, mac);
    return snprintf(buf, size, ",%s=%s/%u", key, mac, rule->bits);
}

const char *port_rate_format(const struct port_rate *rate, char buf[PORT_RATE_TEXT_MAX])
{
    char peak[16] = "", burst[16] = "";

    buf[0] = '\0';
    if (rate->peak)
        snprintf(peak, sizeof(peak), "%u", rate->peak);
    if (rate->burst)
        snprintf(burst, sizeof(burst), ":%u", rate->burst);
    if (rate->average)
        snprintf(buf, PORT_RATE_TEXT_MAX, "%u%s%s%s", rate->average, *peak || *burst ? ":" : "",
                 peak, burst);
    return buf;
}

static int format_rate(const struct port_rate *rate, const char *key, char *buf, size_t size)
{
    char text[PORT_RATE_TEXT_MAX];

    return rate->average ? snprintf(buf, size, ",%s=%s", key, port_rate_format(rate, text)) : 0;
}

const char *port_options_format(const struct port_options *options, char buf[PORT_OPTIONS_TEXT_MAX])
{
    const size_t size = PORT_OPTIONS_TEXT_MAX;
    size_t n = 0;

    buf[0] = '\0';
    if (options->pin)
        n += (size_t)format_pin(options, buf, size);
    for (uint32_t i = 0; i < options->n_rules; ++i)
        n += (size_t)format_rule(&options->rule[i], buf + n, size - n);
    if (options->limits_storm)
        n += (size_t)snprintf(buf + n, size - n, ",storm=%u", options->storm);
    if (options->guest)
        n += (size_t)snprintf(buf + n, size - n, ",guest");
    n += (size_t)format_rate(&options->ingress, "ingress", buf + n, size - n);
    format_rate(&options->egress, "egress", buf + n, size - n);
    return buf;
}

static bool rule_matches(const struct mac_rule *rule, struct mac mac)
{
    struct mac_rule other = { .mac = mac, .bits = rule->bits };

    mask(&other);
    return mac_equal(other.mac, rule->mac);
}

bool port_options_allow(const struct port_options *options, struct mac source)
{
    bool listed = false, any_allowed = false;

    for (uint32_t i = 0; i < options->n_rules; ++i) {
        bool matches = rule_matches(&options->rule[i], source);

        if (matches && options->rule[i].deny)
            return false;
        listed |= matches && !options->rule[i].deny;
        any_allowed |= !options->rule[i].deny;
    }
    return listed || !any_allowed;
}
