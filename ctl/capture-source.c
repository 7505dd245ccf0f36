/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-source.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/capture-proto.h"
#include "daemon/row.h"
#include "xml/guest.h"

#define SOCKET_BUFFER (1024 * 1024) /* what may lie between the relay and us */

/* Ports */

static void forget_port(NrCaptureSource *source, guint32 id)
{
    for (guint i = 0; i < source->ports->len; i++) {
        if (g_array_index(source->ports, guint32, i) != id)
            continue;
        g_array_remove_index(source->ports, i);
        source->ports_gone = !source->ports->len && !source->endpoints->len;
        return;
    }
}

static void on_event(const struct ctl_msg *msg, gpointer data)
{
    NrCaptureSource *source = data;
    guint32 id = 0;

    source->changed = TRUE;
    if (ctl_msg_type(msg) != CTL_EVENT_PORT_GONE)
        nr_relay_rows_update(source->rows, msg);
    else if (ctl_get_u32(msg, CTL_A_PORT_ID, &id))
        forget_port(source, id);
}

void nr_capture_source_drain(NrCaptureSource *source)
{
    if (!source->relay_gone && !nr_relay_client_drain(source->client))
        source->relay_gone = TRUE;
}

void nr_capture_source_name(guint32 port_id, char **ret_name, char **ret_description, gpointer data)
{
    NrCaptureSource *source = data;
    g_autofree char *text = NULL;
    g_autofree char *endpoint = NULL;
    g_autofree char *place = nr_printable(source->place);
    const char *known = NULL;
    GVariant *port;

    /* The relay tells of a port before that port can have a frame. */
    nr_capture_source_drain(source);
    port = nr_relay_row_find(source->rows->ports, port_id);
    if (port && source->names)
        known = g_hash_table_lookup(source->names, nr_row_text(port, "label"));
    text = nr_printable(known ? known : port ? nr_relay_port_name(source->rows, port) : "");
    endpoint = nr_printable(port ? nr_relay_port_endpoint(source->rows, port) : "");
    *ret_name =
        known ? g_strdup(text) : g_strdup_printf("port %u%s%s", port_id, *text ? ": " : "", text);
    if (source->names) /* several networks may be in one file */
        *ret_description = g_strdup_printf("network %s, %s", place, endpoint);
    else
        *ret_description = g_steal_pointer(&endpoint);
}

/* Records */

gboolean nr_capture_source_take(NrCaptureSource *source, NrCaptureFile *file, gboolean *ret_full)
{
    static guint8 packet[CAPTURE_PACKET_MAX];
    ssize_t n = recv(source->reader, packet, sizeof(packet), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return FALSE;
    if (n <= 0) {
        source->ended = source->relay_gone = TRUE;
        return FALSE;
    }
    *ret_full = !nr_capture_file_take(file, &source->stream, packet, (gsize)n);
    return !*ret_full;
}

static void enlarge(int sock)
{
    const int size = SOCKET_BUFFER;

    if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 &&
        setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
        nr_complain("a small socket buffer has to do: %s", g_strerror(errno));
}

static void put_ids(struct ctl_msg *request, enum ctl_attr attr, const GArray *ids)
{
    for (guint i = 0; i < ids->len; i++)
        ctl_put_u32(request, attr, g_array_index(ids, guint32, i));
}

NrExit nr_capture_source_begin(NrCaptureSource *source, guint32 snaplen)
{
    struct ctl_msg request;
    int pair[2];
    NrExit code;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        nr_complain("a socket cannot be made: %s", g_strerror(errno));
        return NR_EXIT_FAILED;
    }
    source->reader = pair[0];
    enlarge(pair[1]);
    nr_relay_request_begin(source->client, &request, CTL_CAPTURE);
    ctl_put_u32(&request, CTL_A_SNAPLEN, snaplen);
    put_ids(&request, CTL_A_PORT_ID, source->ports);
    put_ids(&request, CTL_A_ENDPOINT_ID, source->endpoints);
    ctl_put_str(&request, CTL_A_LABEL, source->label);
    code = nr_relay_request(source->client, &request, pair[1], NULL, NULL);
    close(pair[1]);
    return code;
}

NrCaptureSource *nr_capture_source_new(NrRelayClient *client, const char *place, NrExit *ret_code)
{
    g_autoptr(NrCaptureSource) source = g_new0(NrCaptureSource, 1);

    source->place = g_strdup(place);
    source->client = client;
    source->reader = -1;
    source->ports = g_array_new(FALSE, FALSE, sizeof(guint32));
    source->endpoints = g_array_new(FALSE, FALSE, sizeof(guint32));
    source->stream.data = source;
    source->rows = nr_relay_rows_fetch(client, ret_code);
    client->on_event = on_event;
    client->event_data = source;
    return source->rows ? g_steal_pointer(&source) : NULL;
}

void nr_capture_source_free(NrCaptureSource *source)
{
    if (!source)
        return;
    if (source->reader >= 0)
        close(source->reader);
    nr_relay_rows_free(source->rows);
    nr_relay_client_free(source->client);
    g_array_unref(source->ports);
    g_array_unref(source->endpoints);
    g_clear_pointer(&source->names, g_hash_table_unref);
    g_free(source->label);
    g_free(source->place);
    g_free(source);
}
