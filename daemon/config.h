/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's settings: netrelayd.conf, a GKeyFile. A missing file is the defaults; a bad one is
 * an error that names file, group and key. */
#ifndef NR_DAEMON_CONFIG_H
#define NR_DAEMON_CONFIG_H

#include "daemon/desired.h"

typedef struct {
    NrPolicy policy;     /* [policy]: what guests may ask for */
    char *uri;           /* [libvirt] uri=: default qemu:///system for root, else qemu:///session */
    char *relay_user;    /* [relay] user=: system mode, default netrelay */
    char *control_group; /* [control] group=: system mode, default libvirt; "": none */
} NrConfig;

/* A default is NULL where the setting means nothing in that mode. */
typedef struct {
    const char *group, *key;
    const char *system_default, *session_default;
} NrSetting;

/* NULL behind the last one. */
const NrSetting *nr_config_setting(guint index);
NrConfig *nr_config_load(const char *file, uid_t uid, GError **error);
void nr_config_free(NrConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrConfig, nr_config_free)

#endif
