/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line each: when it ends (0: never), MAC or, of IPv6, a number that we need not, address, name,
 * client. One of IPv6 is named by its DUID, in which the MAC is, or is not (RFC 8415, section 11).
 */
#include "daemon/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/scope.h"
#include "daemon/dnsmasq-conf.h"
#include "daemon/row.h"
#include "xml/ip-value.h"

#define FILE_MAX (8 * 1024 * 1024)

enum { EXPIRY, MAC, IP, NAME, CLIENT, FIELDS };

/* "00:01:00:01" and a time: by MAC and time; "00:03:00:01": by MAC. */
static const char *mac_in_duid(const char *duid)
{
    if (g_str_has_prefix(duid, "00:01:00:01:") && strlen(duid) == 14 * 3 - 1)
        return duid + 8 * 3;
    if (g_str_has_prefix(duid, "00:03:00:01:") && strlen(duid) == 10 * 3 - 1)
        return duid + 4 * 3;
    return "";
}

/* What dnsmasq writes where it knows nothing. */
static const char *known(const char *field)
{
    return g_str_equal(field, "*") ? "" : field;
}

/* "192.168.9.7/24", as of the host's address there. New string. */
static char *with_prefix(const char *plain, const NrNetwork *network)
{
    for (guint i = 0; i < network->ips->len; i++) {
        const char *ip = g_ptr_array_index(network->ips, i);

        if (nr_ip_is_neighbour(ip, plain))
            return g_strdup_printf("%s/%u", plain, nr_ip_prefix(ip));
    }
    return g_strdup(plain);
}

static void add_row(GVariantBuilder *rows, char *const *fields, guint64 expiry, const char *plain,
                    const NrNetwork *network)
{
    gboolean v6 = strchr(plain, ':') != NULL;
    g_autofree char *ip = with_prefix(plain, network);

    g_variant_builder_open(rows, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(rows, "{sv}", "expiry", g_variant_new_uint64(expiry));
    nr_row_put_text(rows, "mac", v6 ? mac_in_duid(fields[CLIENT]) : fields[MAC]);
    nr_row_put_text(rows, "protocol", v6 ? "ipv6" : "ipv4");
    nr_row_put_text(rows, "ip", ip);
    nr_row_put_text(rows, "hostname", known(fields[NAME]));
    nr_row_put_text(rows, "client", known(fields[CLIENT]));
    g_variant_builder_close(rows);
}

static void read_line(GVariantBuilder *rows, const char *line, const NrNetwork *network,
                      gint64 now_s)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", FIELDS);
    g_autofree char *plain = NULL;
    guint64 expiry;

    if (g_strv_length(fields) != FIELDS || /* as of our own DUID */
        !g_ascii_string_to_unsigned(fields[EXPIRY], 10, 0, G_MAXINT64, &expiry, NULL))
        return;
    plain = nr_ip_plain(fields[IP]);
    if (plain && (expiry == 0 || (gint64)expiry > now_s))
        add_row(rows, fields, expiry, plain, network);
}

GVariant *nr_leases_parse(const char *text, const NrNetwork *network, gint64 now_s)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GVariantBuilder rows;

    g_variant_builder_init(&rows, G_VARIANT_TYPE("aa{sv}"));
    for (char **line = lines; *line; line++)
        read_line(&rows, *line, network, now_s);
    return g_variant_builder_end(&rows);
}

/* Another user writes to it: it may be of any size. */
static int read_text(const char *path, char **ret)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    g_autofree char *text = NULL;
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
    text = g_malloc((gsize)st.st_size + 1);
    n = read(fd, text, (size_t)st.st_size);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    *ret = g_steal_pointer(&text);
    return 0;
}

GVariant *nr_leases_read(const NrNetwork *network, char **ret_fault)
{
    g_autofree char *name = nr_dnsmasq_leases_name(network->name);
    g_autofree char *path = g_build_filename(NR_LEASES_DIR, name, NULL);
    g_autofree char *text = NULL;
    int r = read_text(path, &text);

    if (r < 0 && r != -ENOENT) {
        *ret_fault = g_strdup_printf("the leases in %s cannot be read: %s", path, g_strerror(-r));
        return NULL;
    }
    return nr_leases_parse(text ? text : "", network, g_get_real_time() / G_USEC_PER_SEC);
}
