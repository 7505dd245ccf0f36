/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-file.h"

#include <string.h>
#include "common/capture-proto.h"
#include "ctl/pcapng.h"

typedef struct {
    guint32 index;
    guint64 frames, missed;
} Interface;

NrCaptureFile *nr_capture_file_new(const NrCaptureBounds *bounds, NrCaptureNames names,
                                   gpointer data)
{
    NrCaptureFile *file = g_new0(NrCaptureFile, 1);

    file->bounds = *bounds;
    file->names = names;
    file->names_data = data;
    file->pending = g_byte_array_new();
    file->interfaces = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    nr_pcapng_begin(file->pending, "netrelayctl " NR_VERSION);
    file->size = file->pending->len;
    return file;
}

void nr_capture_file_free(NrCaptureFile *file)
{
    if (!file)
        return;
    g_byte_array_unref(file->pending);
    g_hash_table_unref(file->interfaces);
    g_free(file);
}

static Interface *interface_of(const NrCaptureFile *file, guint32 port_id)
{
    return g_hash_table_lookup(file->interfaces, GUINT_TO_POINTER(port_id));
}

static Interface *interface_new(NrCaptureFile *file, guint32 port_id)
{
    Interface *interface = g_new0(Interface, 1);

    interface->index = g_hash_table_size(file->interfaces);
    g_hash_table_insert(file->interfaces, GUINT_TO_POINTER(port_id), interface);
    return interface;
}

static void put_interface(const NrCaptureFile *file, GByteArray *out, guint32 port_id)
{
    g_autofree char *name = NULL;
    g_autofree char *description = NULL;

    file->names(port_id, &name, &description, file->names_data);
    nr_pcapng_interface(out, name, description, file->bounds.snaplen);
}

/* The frame, and its interface before it where that is new: both fit into the bounds, or neither
 * is written. Room for the blocks at the end is counted in. */
static gboolean take_frame(NrCaptureFile *file, const struct capture_record *record,
                           const guint8 *bytes)
{
    g_autoptr(GByteArray) blocks = g_byte_array_new();
    Interface *interface = interface_of(file, record->port_id);
    guint interfaces = g_hash_table_size(file->interfaces) + !interface;
    NrPcapngFrame frame = {
        .interface = interface ? interface->index : interfaces - 1,
        .time_ns = record->time_ns,
        .direction = record->kind == CAPTURE_IN ? NR_PCAPNG_INBOUND : NR_PCAPNG_OUTBOUND,
        .length = record->length,
        .captured = record->captured,
        .bytes = bytes,
    };

    if (file->frames >= file->bounds.packets || record->time_ns > file->bounds.end_ns)
        return FALSE;
    if (!interface)
        put_interface(file, blocks, record->port_id);
    nr_pcapng_frame(blocks, &frame);
    if (file->size + blocks->len + (guint64)interfaces * NR_PCAPNG_STATISTICS_SIZE >
        file->bounds.size)
        return FALSE;
    if (!interface)
        interface = interface_new(file, record->port_id);
    g_byte_array_append(file->pending, blocks->data, blocks->len);
    file->size += blocks->len;
    interface->frames++;
    return ++file->frames < file->bounds.packets;
}

/* Of a port that no frame is there of, the file has no interface to tell it of. */
static void take_missed(NrCaptureFile *file, const struct capture_record *record)
{
    Interface *interface = interface_of(file, record->port_id);

    if (interface)
        interface->missed += record->length;
    file->missed += record->length;
}

/* What there was is counted in 32 bits. */
static void take_begun(NrCaptureFile *file, const struct capture_record *record)
{
    guint32 lost = record->length - (guint32)(file->frames + file->missed);

    if (lost <= G_MAXINT32)
        file->missed += lost;
    if (!file->begin_ns)
        file->begin_ns = record->time_ns;
}

static gboolean take_record(NrCaptureFile *file, const struct capture_record *record,
                            const guint8 *bytes)
{
    file->last_ns = MAX(file->last_ns, record->time_ns);
    if (record->kind == CAPTURE_IN || record->kind == CAPTURE_OUT)
        return take_frame(file, record, bytes);
    if (record->kind == CAPTURE_MISSED)
        take_missed(file, record);
    else if (record->kind == CAPTURE_BEGUN)
        take_begun(file, record);
    return TRUE;
}

gboolean nr_capture_file_take(NrCaptureFile *file, const guint8 *packet, gsize length)
{
    struct capture_record record;

    while (length >= sizeof(record)) {
        memcpy(&record, packet, sizeof(record));
        packet += sizeof(record);
        length -= sizeof(record);
        if (record.captured > CAPTURE_SNAPLEN_MAX || CAPTURE_PAD(record.captured) > length ||
            !take_record(file, &record, packet))
            return FALSE;
        packet += CAPTURE_PAD(record.captured);
        length -= CAPTURE_PAD(record.captured);
    }
    return TRUE;
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
