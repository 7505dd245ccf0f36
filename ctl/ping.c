/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayctl ping: where the way from one NIC to another ends. No frame is sent for it: one of
 * ours would teach an address to every table on the way, and a guest need not answer it. What is
 * known of each hop is said, and then the guests' own frames are watched for a while.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "ctl/capture-records.h"
#include "ctl/capture.h"
#include "ctl/follow.h"
#include "ctl/json.h"
#include "ctl/manager.h"
#include "ctl/seconds.h"
#include "ctl/way.h"
#include "xml/guest.h"

#define STATUS_TIMEOUT_MS 10000
#define SECONDS_USUAL     3
#define UNDER_WAY_NS      500000000u /* a frame may take so long until it is lost */

typedef struct {
    const NrWay *way;
    double seconds;
    NrFollow *follow;
    NrCaptureSource *source[2]; /* of each NIC's network */
    gboolean gone;              /* a relay has ended, or will not tell */
    NrFollowed followed[2];     /* from each of them */
} Ping;

/* Watching */

typedef struct {
    NrFollow *follow;
    guint port;
} Taking;

static gboolean on_record(const struct capture_record *record, const guint8 *bytes, gpointer data)
{
    const Taking *taking = data;

    nr_follow_take(taking->follow, taking->port, record, bytes);
    return TRUE;
}

static void take_packets(Ping *ping, guint port)
{
    static guint8 packet[CAPTURE_PACKET_MAX];
    Taking taking = { ping->follow, port };
    ssize_t n;

    do {
        n = recv(ping->source[port]->reader, packet, sizeof(packet), MSG_DONTWAIT);
        if (n > 0)
            nr_capture_records(packet, (gsize)n, on_record, &taking);
    } while (n > 0);
    ping->gone = ping->gone || n == 0 || (errno != EAGAIN && errno != EINTR);
}

static void look(Ping *ping)
{
    guint64 until_ns = (guint64)g_get_real_time() * 1000 - UNDER_WAY_NS;

    for (guint i = 0; i < 2; i++)
        ping->followed[i] = nr_follow_result(ping->follow, i, until_ns);
}

/* Until a frame of each has arrived, or the time is up. */
static void watch(Ping *ping)
{
    gint64 end_us = g_get_monotonic_time() + (gint64)(ping->seconds * G_USEC_PER_SEC);
    gint64 left_us;

    while (!ping->gone && (left_us = end_us - g_get_monotonic_time()) > 0 &&
           !(ping->followed[0].arrived && ping->followed[1].arrived)) {
        struct pollfd fds[] = { { .fd = ping->source[0]->reader, .events = POLLIN },
                                { .fd = ping->source[1]->reader, .events = POLLIN } };

        if (poll(fds, G_N_ELEMENTS(fds), (int)(left_us / 1000) + 1) <= 0)
            continue;
        take_packets(ping, 0);
        take_packets(ping, 1);
        look(ping);
    }
    look(ping);
}

static NrCaptureSource *open_source(const NrCall *call, const NrWay *way, guint end)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(NrCaptureSource) source = NULL;
    int sock = nr_manager_open_relay(call, way->network[end], &silence);
    NrRelayClient *client = NULL;
    NrExit code;

    if (sock < 0)
        nr_complain("%s", silence.text);
    else
        client = nr_relay_client_new_over(sock, way->network[end], &code);
    source = client ? nr_capture_source_new(client, way->network[end], &code) : NULL;
    if (!source)
        return NULL;
    source->label = g_strdup(way->label[end]);
    code = nr_capture_source_begin(source, NR_FOLLOW_BYTES);
    return code == NR_EXIT_DONE ? g_steal_pointer(&source) : NULL;
}

static gboolean follow(Ping *ping, const NrCall *call)
{
    ping->follow = nr_follow_new();
    for (guint i = 0; i < 2; i++) {
        ping->source[i] = open_source(call, ping->way, i);
        if (!ping->source[i])
            return FALSE;
    }
    watch(ping);
    return TRUE;
}

/* What came of it: all that is for everybody is lost, and nothing arrives. */
static void judge(NrWay *way, const Ping *ping)
{
    for (guint i = 0; i < 2; i++) {
        const NrFollowed *followed = &ping->followed[i];

        if (followed->lost && !followed->arrived)
            nr_way_break(way, g_strdup("a point in between"),
                         g_strdup_printf("%u frames for everybody came from %s, and none of them "
                                         "went to %s",
                                         followed->lost, way->name[i], way->name[!i]),
                         g_strdup("netrelayctl capture NETWORK shows of each network on the way "
                                  "how far they come"));
    }
}

static void ping_clear(Ping *ping)
{
    for (guint i = 0; i < 2; i++)
        nr_capture_source_free(ping->source[i]);
    nr_follow_free(ping->follow);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ping, ping_clear)

/* Saying it */

static void print_hops(const NrWay *way)
{
    int width = 0;

    for (guint i = 0; i < way->hops->len; i++) {
        g_autofree char *name = nr_printable(((const NrHop *)way->hops->pdata[i])->name);

        width = MAX(width, (int)g_utf8_strlen(name, -1));
    }
    for (guint i = 0; i < way->hops->len; i++) {
        const NrHop *hop = way->hops->pdata[i];
        g_autofree char *name = nr_printable(hop->name);
        g_autofree char *text = nr_printable(hop->text);
        g_autofree char *cure = nr_printable(hop->cure);

        printf("%s  %s%*s  %s\n", hop->whole ? "ok  " : "ENDS", name,
               width - (int)g_utf8_strlen(name, -1), "", text);
        if (*cure)
            printf("      %*s  cure: %s\n", width, "", cure);
    }
}

static void print_followed(const Ping *ping)
{
    for (guint i = 0; i < 2; i++) {
        const NrFollowed *followed = &ping->followed[i];
        g_autofree char *from = nr_printable(ping->way->name[i]);
        g_autofree char *to = nr_printable(ping->way->name[!i]);

        if (followed->arrived)
            printf("frames from %s arrive at %s: %u in %g s or less\n", from, to, followed->arrived,
                   ping->seconds);
        else if (!followed->lost)
            printf("nothing came from %s within %g s by which %s could be seen to be reached\n",
                   from, ping->seconds, to);
    }
}

static void print_people(const NrWay *way, const Ping *ping)
{
    print_hops(way);
    if (ping->follow)
        print_followed(ping);
    if (!way->broken) {
        puts("the way is whole, as far as it can be seen");
    } else {
        g_autofree char *name = nr_printable(way->broken->name);

        printf("the way ends at %s\n", name);
    }
}

static GVariant *hops_variant(const NrWay *way)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < way->hops->len; i++) {
        const NrHop *hop = way->hops->pdata[i];

        g_variant_builder_add_parsed(&list,
                                     "{'name': <%s>, 'whole': <%b>, 'text': <%s>, "
                                     "'cure': <%s>}",
                                     hop->name, hop->whole, hop->text, hop->cure);
    }
    return g_variant_builder_end(&list);
}

static GVariant *followed_variant(const Ping *ping)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; ping->follow && i < 2; i++)
        g_variant_builder_add_parsed(&list,
                                     "{'from': <%s>, 'to': <%s>, 'sent': <%u>, "
                                     "'arrived': <%u>, 'lost': <%u>}",
                                     ping->way->name[i], ping->way->name[!i],
                                     ping->followed[i].sent, ping->followed[i].arrived,
                                     ping->followed[i].lost);
    return g_variant_builder_end(&list);
}

static NrWay *find_way(const NrCall *call, NrExit *ret_code)
{
    g_autoptr(GVariant) reply =
        nr_manager_call(call, "Status", "(aa{sv}a{sv})", STATUS_TIMEOUT_MS, FALSE, ret_code);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;
    g_autoptr(GPtrArray) links = rows ? nr_host_links_read() : NULL;
    g_autofree char *fault = NULL;
    NrWay *way = NULL;

    if (rows)
        way = nr_way_new(rows, links, call->operands[0], call->operands[1], &fault);
    if (fault) {
        nr_complain("%s", fault);
        *ret_code = NR_EXIT_FAILED;
    }
    return way;
}

NrExit nr_ping_run(const NrCall *call)
{
    g_autoptr(NrWay) way = NULL;
    g_auto(Ping) ping = { .seconds = SECONDS_USUAL };
    NrExit code = NR_EXIT_DONE;

    if (call->seconds && !nr_seconds_read(call->seconds, &ping.seconds)) {
        nr_complain("--seconds '%s': expected " NR_SECONDS_EXPECTED, call->seconds);
        return NR_EXIT_USAGE;
    }
    way = find_way(call, &code);
    if (!way)
        return code;
    ping.way = way;
    if (!way->broken && way->seen && ping.seconds > 0) {
        if (!follow(&ping, call))
            return NR_EXIT_FAILED;
        judge(way, &ping);
    }
    if (call->options & NR_OPTION_JSON)
        nr_json_print(g_variant_new_parsed("{'hops': <%@aa{sv}>, 'frames': <%@aa{sv}>, "
                                           "'whole': <%b>}",
                                           hops_variant(way), followed_variant(&ping),
                                           !way->broken));
    else
        print_people(way, &ping);
    return way->broken ? NR_EXIT_FAILED : NR_EXIT_DONE;
}
