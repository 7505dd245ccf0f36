/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-file.h"

#include "ctl/capture-records.h"
#include "ctl/pcapng.h"

typedef struct {
    guint32 index;
    guint64 frames, missed;
} Interface;

NrCaptureFile *nr_capture_file_new(const NrCaptureBounds *bounds, NrCaptureNames names)
{
    NrCaptureFile *file = g_new0(NrCaptureFile, 1);

    file->bounds = *bounds;
    file->names = names;
    file->pending = g_byte_array_new();
    file->interfaces = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    file->ports = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    nr_pcapng_begin(file->pending, "netrelayctl " NR_VERSION);
    file->size = file->pending->len;
    return file;
}

void nr_capture_file_free(NrCaptureFile *file)
{
    if (!file)
        return;
    g_byte_array_unref(file->pending);
    g_hash_table_unref(file->ports);
    g_hash_table_unref(file->interfaces);
    g_free(file);
}

static gint64 port_key(const NrCaptureStream *stream, guint32 port_id)
{
    return (gint64)((guint64)stream->number << 32 | port_id);
}

static Interface *interface_of(const NrCaptureFile *file, const NrCaptureStream *stream,
                               guint32 port_id)
{
    gint64 key = port_key(stream, port_id);

    return g_hash_table_lookup(file->ports, &key);
}

static void interface_set(NrCaptureFile *file, const NrCaptureStream *stream, guint32 port_id,
                          Interface *interface)
{
    gint64 *key = g_new(gint64, 1);

    *key = port_key(stream, port_id);
    g_hash_table_insert(file->ports, key, interface);
}

/* A port that is met for the first time may go on with an interface of its name: then *ret_name is
 * NULL, and else the name of one that is to be made. */
static Interface *interface_met(NrCaptureFile *file, const NrCaptureStream *stream, guint32 port_id,
                                char **ret_name, char **ret_description)
{
    Interface *interface;

    file->names(port_id, ret_name, ret_description, stream->data);
    interface = g_hash_table_lookup(file->interfaces, *ret_name);
    if (interface) {
        interface_set(file, stream, port_id, interface);
        g_clear_pointer(ret_name, g_free);
    }
    return interface;
}

static Interface *interface_new(NrCaptureFile *file, char *name)
{
    Interface *interface = g_new0(Interface, 1);

    interface->index = g_hash_table_size(file->interfaces);
    g_hash_table_insert(file->interfaces, name, interface);
    return interface;
}

/* The frame, and its interface before it where that is new: both fit into the bounds, or neither
 * is written. Room for the blocks at the end is counted in. */
static gboolean take_frame(NrCaptureFile *file, NrCaptureStream *stream,
                           const struct capture_record *record, const guint8 *bytes)
{
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    g_autofree char *name = NULL;
    g_autofree char *description = NULL;
    Interface *interface = interface_of(file, stream, record->port_id);
    NrPcapngFrame frame = {
        .time_ns = record->time_ns,
        .direction = record->kind == CAPTURE_IN ? NR_PCAPNG_INBOUND : NR_PCAPNG_OUTBOUND,
        .length = record->length,
        .captured = record->captured,
        .bytes = bytes,
    };
    guint interfaces = g_hash_table_size(file->interfaces);

    if (file->frames >= file->bounds.packets || record->time_ns > file->bounds.end_ns)
        return FALSE;
    if (!interface)
        interface = interface_met(file, stream, record->port_id, &name, &description);
    frame.interface = interface ? interface->index : interfaces;
    if (!interface)
        nr_pcapng_interface(blocks, name, description, file->bounds.snaplen);
    nr_pcapng_frame(blocks, &frame);
    if (file->size + blocks->len + (guint64)(interfaces + !interface) * NR_PCAPNG_STATISTICS_SIZE >
        file->bounds.size)
        return FALSE;
    if (!interface) {
        interface = interface_new(file, g_steal_pointer(&name));
        interface_set(file, stream, record->port_id, interface);
    }
    g_byte_array_append(file->pending, blocks->data, blocks->len);
    file->size += blocks->len;
    interface->frames++;
    stream->frames++;
    return ++file->frames < file->bounds.packets;
}

static void count_missed(NrCaptureFile *file, NrCaptureStream *stream, guint64 frames)
{
    stream->missed += frames;
    file->missed += frames;
}

/* Of a port that no frame is there of, the file has no interface to tell it of. */
static void take_missed(NrCaptureFile *file, NrCaptureStream *stream,
                        const struct capture_record *record)
{
    Interface *interface = interface_of(file, stream, record->port_id);

    if (interface)
        interface->missed += record->length;
    count_missed(file, stream, record->length);
}

/* What there was is counted in 32 bits. */
static void take_begun(NrCaptureFile *file, NrCaptureStream *stream,
                       const struct capture_record *record)
{
    guint32 lost = record->length - (guint32)(stream->frames + stream->missed);

    if (lost <= G_MAXINT32)
        count_missed(file, stream, lost);
    if (!stream->begin_ns)
        stream->begin_ns = record->time_ns;
    if (!file->begin_ns)
        file->begin_ns = record->time_ns;
}

typedef struct {
    NrCaptureFile *file;
    NrCaptureStream *stream;
} Taking;

static gboolean take_record(const struct capture_record *record, const guint8 *bytes, gpointer data)
{
    const Taking *taking = data;

    taking->file->last_ns = MAX(taking->file->last_ns, record->time_ns);
    if (record->kind == CAPTURE_IN || record->kind == CAPTURE_OUT)
        return take_frame(taking->file, taking->stream, record, bytes);
    if (record->kind == CAPTURE_MISSED)
        take_missed(taking->file, taking->stream, record);
    else if (record->kind == CAPTURE_BEGUN)
        take_begun(taking->file, taking->stream, record);
    return TRUE;
}

gboolean nr_capture_file_take(NrCaptureFile *file, NrCaptureStream *stream, const guint8 *packet,
                              gsize length)
{
    Taking taking = { file, stream };

    return nr_capture_records(packet, length, take_record, &taking);
}

static int by_index(gconstpointer a, gconstpointer b)
{
    const Interface *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

/* Readers such as tcpdump refuse a file without any interface. */
static void put_no_interface(NrCaptureFile *file)
{
    nr_pcapng_interface(file->pending, "no frame", "", file->bounds.snaplen);
    nr_pcapng_statistics(file->pending, 0, file->begin_ns, file->last_ns, 0, file->missed);
}

void nr_capture_file_end(NrCaptureFile *file)
{
    g_autoptr(GList) interfaces = g_list_sort(g_hash_table_get_values(file->interfaces), by_index);

    if (!interfaces)
        put_no_interface(file);

    for (GList *l = interfaces; l; l = l->next) {
        const Interface *interface = l->data;

        nr_pcapng_statistics(file->pending, interface->index, file->begin_ns, file->last_ns,
                             interface->frames, interface->missed);
    }
}
