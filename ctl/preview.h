/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one guest would get, decided by the manager's own rules from configuration, network files
 * and the guest's metadata; neither libvirt nor the manager is asked. Other guests are not seen. */
#ifndef NR_CTL_PREVIEW_H
#define NR_CTL_PREVIEW_H

#include "daemon/config.h"
#include "daemon/desired.h"
#include "daemon/networks.h"

typedef struct {
    NrConfig *config;
    NrNetworks *networks;
    NrGuest *guest; /* as if it were about to start */
    NrDesired *desired;
} NrPreview;

/* runtime_dir: the manager's, who may have noted there what is stopped. resolve: look up host
 * names, which may take a while. NULL where the configuration is bad. */
NrPreview *nr_preview_new(const NrGuest *guest, uid_t uid, const char *runtime_dir,
                          gboolean resolve, GError **error);
void nr_preview_free(NrPreview *preview);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrPreview, nr_preview_free)

/* The first binding that refuses the guest's start, or NULL. */
const NrBinding *nr_preview_refusal(const NrPreview *preview);
/* The first binding that a network file or metadata names and that needs the manager, or NULL. */
const NrBinding *nr_preview_named(const NrPreview *preview);
/* The address of a NIC, as a person finds it in the domain XML. New string. */
char *nr_nic_address(const NrNic *nic);

/* Is there anything in this guest that could be ours? If not, nobody has to be asked. */
gboolean nr_guest_concerns_us(const NrGuest *guest);

#endif
