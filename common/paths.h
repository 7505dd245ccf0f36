/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where our files are: it follows from the uid alone, since libvirt's hooks do not get
 * XDG_RUNTIME_DIR. Root: /run/netrelay. Others: /run/user/UID/netrelay where /run/user/UID is a
 * directory of theirs, else ~/.cache/netrelay (home from the password database).
 */
#ifndef NR_COMMON_PATHS_H
#define NR_COMMON_PATHS_H

#include <stddef.h>
#include <sys/types.h>

#define PATHS_CONTROL_SOCKET "control.sock" /* D-Bus, in the runtime directory */
#define PATHS_RELAYS         "relays"       /* directory of the relays' control sockets */

/* 0, -ENAMETOOLONG, or -ENOENT when the uid has no home and needs one. Creates nothing. */
int paths_runtime_dir(uid_t uid, char *buf, size_t size);
/* Root: /etc/netrelay. Others: $XDG_CONFIG_HOME/netrelay, else ~/.config/netrelay. */
int paths_config_dir(uid_t uid, char *buf, size_t size);

#endif
