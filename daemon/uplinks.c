/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/uplinks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include "common/scope.h"
#include "daemon/log.h"
#include "net/link.h"
#include "net/uplink-guard.h"
#include "net/uplink-owner.h"

typedef struct {
    gboolean force;
    guint confirm_s;
} Terms;

struct NrUplinks {
    int dir_fd;          /* borrowed */
    GHashTable *records; /* device -> struct uplink_record: as they were read last */
    GHashTable *terms;   /* network -> Terms, for its next move */
    GHashTable *awaited; /* network -> gint64 *: when it is over unless it is confirmed */
    guint timer;         /* until the first one of these */
    void (*expired)(const char *network, gpointer data);
    gpointer data;
};

NrUplinks *nr_uplinks_new(int dir_fd)
{
    NrUplinks *uplinks = g_new0(NrUplinks, 1);

    uplinks->dir_fd = dir_fd;
    uplinks->records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free);
    uplinks->terms = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    uplinks->awaited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return uplinks;
}

void nr_uplinks_free(NrUplinks *uplinks)
{
    if (uplinks->timer)
        g_source_remove(uplinks->timer);
    g_hash_table_unref(uplinks->records);
    g_hash_table_unref(uplinks->terms);
    g_hash_table_unref(uplinks->awaited);
    g_free(uplinks);
}

void nr_uplinks_watch(NrUplinks *uplinks, void (*expired)(const char *network, gpointer data),
                      gpointer data)
{
    uplinks->expired = expired;
    uplinks->data = data;
}

/* Records */

/* It outlasts the record, which a guard removes when it has taken back what was not confirmed: the
 * network is to be stopped then, and not to be moved there again. */
static void note_awaited(NrUplinks *uplinks, const struct uplink_record *record)
{
    gint64 until = record->until;

    if (until == 0)
        g_hash_table_remove(uplinks->awaited, record->network);
    else
        g_hash_table_insert(uplinks->awaited, g_strdup(record->network),
                            g_memdup2(&until, sizeof(until)));
}

static void read_one(NrUplinks *uplinks, int dir_fd, const char *device)
{
    struct uplink_record *record = NULL;
    int r = uplink_record_read(dir_fd, device, &record);

    if (r == 0) {
        g_hash_table_insert(uplinks->records, g_strdup(device), record);
        note_awaited(uplinks, record);
    } else if (r != -ENOENT)
        nr_log(NR_LOG_WARNING, "the file " UPLINK_DIR "/%s cannot be read: %s", device,
               g_strerror(-r));
}

/* Where the directory is gone, somebody has removed it, and what was read is what there is. */
static void read_all(NrUplinks *uplinks)
{
    int fd = openat(uplinks->dir_fd, UPLINK_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir)
        return;
    g_hash_table_remove_all(uplinks->records);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && !strchr(entry->d_name, ':'))
            read_one(uplinks, fd, entry->d_name);
    closedir(dir);
}

static void note(gpointer device, gpointer record, gpointer dir_fd)
{
    int r = uplink_record_write(GPOINTER_TO_INT(dir_fd), record);

    if (r < 0)
        nr_log(NR_LOG_WARNING, "the file " UPLINK_DIR "/%s cannot be written: %s", (char *)device,
               g_strerror(-r));
}

void nr_uplinks_note(NrUplinks *uplinks)
{
    _cleanup_(closep) int fd =
        g_hash_table_size(uplinks->records) > 0 ? uplink_dir_open(uplinks->dir_fd) : -1;

    if (fd >= 0)
        g_hash_table_foreach(uplinks->records, note, GINT_TO_POINTER(fd));
}

static struct host_change change_of(const struct uplink_record *record)
{
    struct host_change change = { .kind = HOST_UPLINK };

    g_strlcpy(change.device, record->uplink.device, sizeof(change.device));
    g_strlcpy(change.value, record->uplink.bridge, sizeof(change.value));
    return change;
}

GArray *nr_uplinks_all(NrUplinks *uplinks)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct host_change));
    GHashTableIter iter;
    gpointer record;

    read_all(uplinks);
    g_hash_table_iter_init(&iter, uplinks->records);
    while (g_hash_table_iter_next(&iter, NULL, &record)) {
        struct host_change change = change_of(record);

        g_array_append_val(all, change);
    }
    return all;
}

static gboolean is_undone(const struct uplink_record *record)
{
    struct link_state device, bridge;

    return record->phase == UPLINK_MOVED &&
           (link_get(record->uplink.device, &device) < 0 ||
            link_get(record->uplink.bridge, &bridge) < 0 || device.master != bridge.ifindex);
}

void nr_uplinks_each_undone(NrUplinks *uplinks,
                            void (*undone)(const char *network, const struct host_change *change,
                                           gpointer data),
                            gpointer data)
{
    GHashTableIter iter;
    gpointer value;

    read_all(uplinks);
    g_hash_table_iter_init(&iter, uplinks->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const struct uplink_record *record = value;
        const struct host_change change = change_of(record);

        if (is_undone(record))
            undone(record->network, &change, data);
    }
}

/* Confirming */

static void arm(NrUplinks *uplinks);

static gboolean is_over(gpointer network, gpointer until, gpointer over)
{
    if (*(gint64 *)until > uplink_now())
        return FALSE;
    g_ptr_array_add(over, g_strdup(network));
    return TRUE;
}

static gboolean on_due(gpointer data)
{
    NrUplinks *uplinks = data;
    g_autoptr(GPtrArray) over = g_ptr_array_new_with_free_func(g_free);

    uplinks->timer = 0;
    read_all(uplinks);
    g_hash_table_foreach_remove(uplinks->awaited, is_over, over);
    for (guint i = 0; i < over->len && uplinks->expired; i++)
        uplinks->expired(over->pdata[i], uplinks->data);
    arm(uplinks); /* of the others; also where the host has slept */
    return G_SOURCE_REMOVE;
}

static void arm(NrUplinks *uplinks)
{
    gint64 first = G_MAXINT64, left;
    GHashTableIter iter;
    gpointer until;

    g_hash_table_iter_init(&iter, uplinks->awaited);
    while (g_hash_table_iter_next(&iter, NULL, &until))
        first = MIN(first, *(gint64 *)until);
    g_clear_handle_id(&uplinks->timer, g_source_remove);
    left = first - uplink_now();
    if (first != G_MAXINT64)
        uplinks->timer = g_timeout_add(left > 0 ? (guint)left * 1000 : 100, on_due, uplinks);
}

void nr_uplinks_set_terms(NrUplinks *uplinks, const char *network, gboolean force, guint confirm_s)
{
    Terms *terms = g_new0(Terms, 1);

    terms->force = force;
    terms->confirm_s = confirm_s;
    g_hash_table_insert(uplinks->terms, g_strdup(network), terms);
    g_hash_table_remove(uplinks->awaited, network);
}

static const struct uplink_record *find_record(const NrUplinks *uplinks, const char *network)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, uplinks->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const struct uplink_record *record = value;

        if (g_str_equal(record->network, network))
            return record;
    }
    return NULL;
}

char *nr_uplinks_confirm(NrUplinks *uplinks, const char *network)
{
    _cleanup_(closep) int dir_fd = uplink_dir_open(uplinks->dir_fd);
    const struct uplink_record *record;
    int r = dir_fd < 0 ? dir_fd : -ENOENT;

    read_all(uplinks);
    record = find_record(uplinks, network);
    if (record && dir_fd >= 0)
        r = record->until == 0 ? -EALREADY : uplink_confirm(dir_fd, record->uplink.device);
    read_all(uplinks);
    arm(uplinks);
    if (r == -ENOENT)
        return g_strdup_printf("network %s has not moved this host's addresses (any more)",
                               network);
    if (r == -EALREADY)
        return g_strdup_printf("network %s need not be confirmed", network);
    if (r == -EWOULDBLOCK)
        return g_strdup_printf("it is too late: network %s is just being taken back", network);
    return r < 0 ? g_strdup_printf("network %s: %s", network, g_strerror(-r)) : NULL;
}

/* What is there */

void nr_uplinks_show(NrUplinks *uplinks, NrActual *actual)
{
    GHashTableIter iter;
    gpointer value;

    read_all(uplinks);
    if (!uplinks->timer)
        arm(uplinks);
    g_hash_table_iter_init(&iter, uplinks->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const struct uplink_record *record = value;
        const struct host_change change = change_of(record);
        char text[HOST_CHANGE_TEXT_MAX];
        NrActualChange *shown =
            nr_actual_change_new(host_change_format(&change, text), record->network);

        shown->done = record->phase == UPLINK_MOVED;
        g_ptr_array_add(actual->changes, shown);
    }
}

static int ask(NrUplinks *uplinks, const struct uplink_task *task)
{
    _cleanup_(closep) int dir_fd = uplink_dir_open(uplinks->dir_fd);
    int r = dir_fd < 0 ? dir_fd : uplink_guard_ask(dir_fd, task);

    read_all(uplinks);
    return r;
}

int nr_uplinks_lift(NrUplinks *uplinks, const struct host_change *change, char **ret_text)
{
    const struct uplink_task task = {
        .back = TRUE, .network = "", .device = change->device, .bridge = change->value
    };
    int r = ask(uplinks, &task);

    if (r < 0 && !*ret_text)
        *ret_text =
            g_strdup_printf("not all that %s had could be given back to it: %s; what it had "
                            "is in the file " UPLINK_DIR "/%s",
                            change->device, g_strerror(-r), change->device);
    return r;
}

/* A move that was interrupted is taken back first; one that is done is left as it is. */
static int prepare(NrUplinks *uplinks, const char *network, const struct host_change *change,
                   gboolean *ret_done, char **ret_text)
{
    const struct uplink_record *record;

    read_all(uplinks);
    record = g_hash_table_lookup(uplinks->records, change->device);
    *ret_done = record && record->phase == UPLINK_MOVED && g_str_equal(record->network, network) &&
                g_str_equal(record->uplink.bridge, change->value);
    if (!record || *ret_done)
        return 0;
    if (record->phase != UPLINK_MOVED)
        return nr_uplinks_lift(uplinks, change, ret_text);
    *ret_text = g_strdup_printf("%s is in the bridge %s for network %s; stop that one before",
                                change->device, record->uplink.bridge, record->network);
    return -EBUSY;
}

static int judge(const struct host_change *change, const Terms *terms, char **ret_text)
{
    static const int errors[] = { [UPLINK_OWNED] = -EBUSY,
                                  [UPLINK_UNFIT] = -EOPNOTSUPP,
                                  [UPLINK_ABSENT] = -ENODEV,
                                  [UPLINK_ELSEWHERE] = -EBUSY };
    char reason[UPLINK_REASON_MAX];
    enum uplink_verdict verdict = uplink_judge(change->device, change->value, reason);

    if (verdict == UPLINK_FREE || (verdict == UPLINK_OWNED && terms && terms->force))
        return 0;
    *ret_text = g_strdup(reason);
    return errors[verdict];
}

/* What nobody has confirmed yet is not moved for ever by being moved once more: after a SIGKILL of
 * whoever did it, or by an edit. -ETIME: its time is over. */
static int set_until(const NrUplinks *uplinks, const char *network, const Terms *terms,
                     struct uplink_task *task, char **ret_text)
{
    const gint64 *until = terms ? NULL : g_hash_table_lookup(uplinks->awaited, network);

    if (terms && terms->confirm_s > 0)
        task->until = uplink_now() + terms->confirm_s;
    if (!until)
        return 0;
    task->until = *until;
    if (*until > uplink_now())
        return 0;
    *ret_text = g_strdup_printf("network %s was not confirmed in time", network);
    return -ETIME;
}

int nr_uplinks_lay(NrUplinks *uplinks, const char *network, const struct host_change *change,
                   char **ret_text)
{
    const Terms *terms = g_hash_table_lookup(uplinks->terms, network);
    struct uplink_task task = { .network = network,
                                .device = change->device,
                                .bridge = change->value };
    gboolean done;
    int r = prepare(uplinks, network, change, &done, ret_text);

    if (r < 0 || done)
        return r;
    r = judge(change, terms, ret_text);
    if (r == 0)
        r = set_until(uplinks, network, terms, &task, ret_text);
    if (r == -ETIME)
        arm(uplinks); /* who watches does not know of it yet */
    if (r < 0)
        return r;
    r = ask(uplinks, &task);
    arm(uplinks);
    if (r == 0)
        g_hash_table_remove(uplinks->terms, network);
    else
        *ret_text = g_strdup_printf("%s could not be moved to the bridge %s, and has all that it "
                                    "had: %s",
                                    change->device, change->value, g_strerror(-r));
    return r;
}
