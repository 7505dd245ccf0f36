/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/revive.h"

#include <gio/gio.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

typedef struct {
    char *uri, *guest;
    NrReviveDone done;
    gpointer data;
} Request;

static void request_free(gpointer p)
{
    Request *request = p;

    g_free(request->uri);
    g_free(request->guest);
    g_free(request);
}

/* Its thread */

static virDomainPtr find_guest(virConnectPtr connection, const char *guest)
{
    virDomainPtr domain = virDomainLookupByName(connection, guest);

    return domain ? domain : virDomainLookupByUUIDString(connection, guest);
}

/* A new sentence, or NULL. */
static char *save_and_start(virDomainPtr domain)
{
    const char *name = virDomainGetName(domain);

    if (virDomainIsActive(domain) != 1)
        return g_strdup_printf("guest %s does not run; start it", name);
    if (virDomainIsPersistent(domain) != 1)
        return g_strdup_printf("guest %s is transient, so libvirt cannot save and start it; "
                               "create it anew",
                               name);
    if (virDomainManagedSave(domain, 0) < 0)
        return g_strdup_printf("guest %s was not saved, and is as it was: %s", name,
                               virGetLastErrorMessage());
    if (virDomainCreate(domain) < 0)
        return g_strdup_printf("guest %s is saved, and did not start again: %s; when that is "
                               "mended, virsh start lets it go on where it was",
                               name, virGetLastErrorMessage());
    return NULL;
}

static char *revive(const Request *request)
{
    virConnectPtr connection = virConnectOpen(request->uri);
    virDomainPtr domain;
    char *failure;

    if (!connection)
        return g_strdup_printf("libvirt at %s: %s", request->uri, virGetLastErrorMessage());
    domain = find_guest(connection, request->guest);
    failure = domain ? save_and_start(domain)
                     : g_strdup_printf("there is no guest %s; see virsh list", request->guest);
    if (domain)
        virDomainFree(domain);
    (void)virConnectClose(connection);
    return failure;
}

static void work(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_task_return_pointer(task, revive(data), g_free);
}

/* The main loop */

static void on_worked(GObject *source, GAsyncResult *result, gpointer data)
{
    const Request *request = g_task_get_task_data(G_TASK(result));
    g_autofree char *failure = g_task_propagate_pointer(G_TASK(result), NULL);

    request->done(failure, request->data);
}

void nr_revive(const char *uri, const char *guest, NrReviveDone done, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_worked, NULL);
    Request *request = g_new(Request, 1);

    *request = (Request){ g_strdup(uri), g_strdup(guest), done, data };
    g_task_set_task_data(task, request, request_free);
    g_task_run_in_thread(task, work);
}
