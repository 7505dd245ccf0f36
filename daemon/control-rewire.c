/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control-rewire.h"

#include "daemon/control-networks.h"
#include "daemon/moving.h"
#include "daemon/row.h"
#include "daemon/status.h"
#include "xml/metadata-edit.h"
#include "xml/metadata-xml.h"

#define MOVE_MS 3000
#define LOOK_MS 50

/* A request on its way: inventory, rules, libvirt, a pass. */
typedef struct {
    const NrControlParts *parts;
    NrRewire *rewire;
    NrControlRewired done;
    gpointer data;
    gint64 until_us; /* so long its port is waited for */
} Request;

static void put_flag(GVariantBuilder *dict, const char *key, gboolean value)
{
    g_variant_builder_add(dict, "{sv}", key, g_variant_new_boolean(value));
}

/* Judging: what would become of the guest */

/* The guest as it would be, or NULL and why not. *ret_nic is the NIC in it. */
static NrGuest *guest_with_wish(NrGuest *guest, const NrRewire *rewire, NrNic **ret_nic,
                                GError **error)
{
    const NrMetadataEdit edit = { rewire->by, rewire->nic, rewire->to, rewire->where };
    g_autoptr(NrMetadataEdited) edited = nr_metadata_edit(guest, NULL, &edit, error);
    NrGuest *copy;
    NrWish before;
    NrNic *asked;

    if (!edited)
        return NULL;
    copy = nr_guest_copy(guest, guest->state);
    *ret_nic = g_ptr_array_index(copy->nics, edited->nic);
    asked = g_ptr_array_index(edited->guest->nics, edited->nic);
    before = (*ret_nic)->wish;
    (*ret_nic)->wish = asked->wish;
    asked->wish = before;                           /* freed with it */
    g_clear_pointer(&copy->metadata_fault, g_free); /* rewire.c sees the whole of it */
    return copy;
}

/* NULL, or why its start would be refused for this NIC. New string. */
static char *refusal(const NrWorld *world, NrGuest *guest, const NrNic *nic)
{
    g_autoptr(NrDesired) desired = nr_world_imagine(world, guest);

    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];

        if (binding->nic == nic && binding->kind == NR_BINDING_REFUSED)
            return g_strdup_printf("not attached, for it could not be: %s", binding->reason);
    }
    return NULL;
}

/* NULL where nothing speaks against it. New string. */
static char *judge(const NrWorld *world, NrGuest *guest, const NrRewire *rewire)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrGuest) imagined = NULL;
    NrNic *nic;

    imagined = guest_with_wish(guest, rewire, &nic, &error);
    if (!imagined)
        return g_strdup_printf("guest %s: %s", guest->name, error->message);
    return refusal(world, imagined, nic);
}

/* The guest as that side of it is known; NULL: it has none, which libvirt will say. */
static char *judge_all(const NrWorld *world, const NrRewire *rewire)
{
    NrGuest *now = nr_inventory_find(world->inventory, rewire->uuid);
    NrGuest *defined = nr_inventory_defined(world->inventory, rewire->uuid);
    gboolean current = !rewire->live && !rewire->config;
    char *fault = NULL;

    if (!rewire->to)
        return NULL;
    if (rewire->live || current)
        fault = judge(world, now, rewire);
    if (!fault && rewire->config && defined)
        fault = judge(world, defined, rewire);
    return fault;
}

/* Afterwards */

static void request_end(Request *request, GVariant *outcome, const char *fault)
{
    request->done(outcome, fault, request->data);
    nr_rewire_free(request->rewire);
    g_free(request);
}

static const NrNic *find_nic(const NrGuest *guest, const NrRewire *rewire)
{
    g_autofree char *fault = NULL;
    int index = -1;

    if (guest)
        fault = nr_metadata_find_nic(guest, rewire->by, rewire->nic, &index);
    return guest && !fault ? g_ptr_array_index(guest->nics, index) : NULL;
}

static const NrBinding *find_binding(const Request *request, const char *label)
{
    const NrDesired *desired = nr_reconcile_desired(request->parts->reconcile);

    for (guint i = 0; desired && i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];

        if (g_str_equal(binding->label, label))
            return binding;
    }
    return NULL;
}

static const NrActualPort *find_port(const NrActualNetwork *network, const char *label)
{
    for (guint i = 0; i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];

        if (g_strcmp0(port->label, label) == 0 && port->state != CTL_PORT_CLOSING)
            return port;
    }
    return NULL;
}

/* Why its connection is in another network's relay yet; NULL: it is in none. New string. */
static char *still_elsewhere(const Request *request, const NrBinding *binding)
{
    g_autoptr(NrActual) actual = nr_relays_snapshot(request->parts->world->relays);

    for (guint i = 0; i < actual->networks->len; i++) {
        const NrActualNetwork *network = actual->networks->pdata[i];
        const NrActualPort *port = find_port(network, binding->label);

        if (port && !g_str_equal(network->name, binding->network))
            return nr_moving_reason(actual, nr_reconcile_attempts(request->parts->reconcile),
                                    network, port, binding->network);
    }
    return NULL;
}

/* What could not be done of it, and is tried again; or NULL. New string. */
static char *trouble(const Request *request, const NrBinding *binding)
{
    char *elsewhere;

    if (!binding->network)
        return g_strdup(binding->kind == NR_BINDING_REFUSED ? binding->reason : NULL);
    elsewhere = still_elsewhere(request, binding);
    return elsewhere ? elsewhere : nr_control_networks_failure(request->parts, binding->network);
}

static void answer(Request *request, const NrGuest *guest, const NrNic *nic,
                   const NrBinding *binding)
{
    const NrRewire *rewire = request->rewire;
    const NrInventory *inventory = request->parts->world->inventory;
    g_autofree char *failed = binding ? trouble(request, binding) : NULL;
    GVariantBuilder dict;

    if (!nic)
        nic = find_nic(nr_inventory_defined(inventory, rewire->uuid), rewire);
    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    if (nic) {
        g_autofree char *label = nr_nic_label(nic);

        nr_row_put_text(&dict, "nic", label);
    } else {
        nr_row_put_text(&dict, "nic", rewire->nic);
    }
    nr_row_put_text(&dict, "guest", guest ? guest->name : rewire->uuid);
    nr_row_put_text(&dict, "to", rewire->to);
    nr_row_put_text(&dict, "where", rewire->where);
    nr_row_put_text(&dict, "was_to", rewire->was_to);
    nr_row_put_text(&dict, "was", rewire->was);
    nr_row_put_text(&dict, "config_was_to", rewire->config_was_to);
    nr_row_put_text(&dict, "config_was", rewire->config_was);
    put_flag(&dict, "live", rewire->live_done);
    put_flag(&dict, "config", rewire->config_done);
    put_flag(&dict, "running", rewire->running);
    put_flag(&dict, "persistent", rewire->persistent);
    nr_row_put_text(&dict, "trouble", failed);
    request_end(request, g_variant_builder_end(&dict), NULL);
}

static void write_metadata(struct _virConnect *connection, gpointer data)
{
    nr_rewire_write(connection, ((Request *)data)->rewire);
}

static gboolean on_look(gpointer data);

/* A connection moves once its new relay is there, which is the next pass's to begin. */
static void on_passed(gpointer data)
{
    Request *request = data;
    const NrRewire *rewire = request->rewire;
    const NrGuest *guest = nr_inventory_find(request->parts->world->inventory, rewire->uuid);
    const NrNic *nic = find_nic(guest, rewire);
    g_autofree char *label = nic && rewire->live_done ? nr_port_label(guest, nic) : NULL;
    const NrBinding *binding = label ? find_binding(request, label) : NULL;
    g_autofree char *elsewhere =
        binding && binding->network ? still_elsewhere(request, binding) : NULL;

    if (elsewhere && g_get_monotonic_time() < request->until_us)
        g_timeout_add(LOOK_MS, on_look, request);
    else
        answer(request, guest, nic, binding);
}

static gboolean on_look(gpointer data)
{
    Request *request = data;

    nr_reconcile_wait_guest(request->parts->reconcile, request->rewire->uuid, on_passed, request);
    return G_SOURCE_REMOVE;
}

static void on_written(gpointer data)
{
    Request *request = data;

    request->until_us = g_get_monotonic_time() + MOVE_MS * 1000;
    if (request->rewire->fault)
        request_end(request, NULL, request->rewire->fault);
    else
        nr_reconcile_wait_guest(request->parts->reconcile, request->rewire->uuid, on_passed,
                                request);
}

static char *unknown_guest(const NrControlParts *parts, const char *guest)
{
    if (!g_str_equal(*parts->libvirt, "connected"))
        return g_strdup_printf("netrelayd has no connection to libvirt at %s: %s", parts->uri,
                               *parts->libvirt);
    if (!nr_reconcile_knows_guests(parts->reconcile))
        return g_strdup_printf("guest %s is not known yet, for libvirt has not answered which "
                               "guests there are; try again",
                               guest);
    return g_strdup_printf("there is no guest %s; see virsh list --all", guest);
}

static void look_nowhere(struct _virConnect *connection, gpointer data)
{
}

static void hand_over(Request *request, void (*work)(struct _virConnect *, gpointer),
                      void (*done)(gpointer data))
{
    nr_guest_source_do(*request->parts->source, (NrGuestSourceJob){ .uuid = request->rewire->uuid,
                                                                    .work = work,
                                                                    .done = done,
                                                                    .data = request });
}

static void on_looked(gpointer data)
{
    Request *request = data;
    g_autofree char *fault = judge_all(request->parts->world, request->rewire);

    if (fault)
        request_end(request, NULL, fault);
    else
        hand_over(request, write_metadata, on_written);
}

/* libvirt tells nothing of a definition that gets another NIC: before a fault is believed the guest
 * is looked at once more. */
void nr_control_rewire(const NrControlParts *parts, const char *guest, NrRewire *rewire,
                       NrControlRewired done, gpointer data)
{
    const NrGuest *found = nr_inventory_find(parts->world->inventory, guest);
    Request *request = g_new(Request, 1);
    g_autofree char *fault = NULL;

    *request = (Request){ parts, rewire, done, data, 0 };
    if (!found) {
        fault = unknown_guest(parts, guest);
        request_end(request, NULL, fault);
        return;
    }
    rewire->uuid = g_strdup(found->uuid);
    fault = judge_all(parts->world, rewire);
    if (fault)
        hand_over(request, look_nowhere, on_looked);
    else
        hand_over(request, write_metadata, on_written);
}

/* NICs, for those who look for one */

GVariant *nr_control_nics(const NrControlParts *parts)
{
    g_autoptr(GPtrArray) guests = nr_inventory_snapshot(parts->world->inventory);
    GVariantBuilder rows;

    g_variant_builder_init(&rows, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < guests->len; i++) {
        const NrGuest *guest = guests->pdata[i];

        for (guint k = 0; k < guest->nics->len; k++) {
            const NrNic *nic = guest->nics->pdata[k];
            char mac[MAC_TEXT_MAX];

            g_variant_builder_open(&rows, G_VARIANT_TYPE_VARDICT);
            nr_row_put_text(&rows, "guest", guest->name);
            nr_row_put_text(&rows, "guest_state", nr_guest_state_name(guest->state));
            nr_row_put_text(&rows, "kind", nr_nic_kind_name(nic->kind));
            nr_row_put_text(&rows, "mac", mac_format(nic->mac, mac));
            nr_row_put_text(&rows, "alias", nic->alias);
            nr_row_put_text(&rows, "dev", nic->target_dev);
            g_variant_builder_close(&rows);
        }
    }
    return g_variant_builder_end(&rows);
}
