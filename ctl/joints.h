/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What joins the networks of this host: their TAPs in bridges, and tunnels from one to another.
 * Read off the rows of Status and the host's devices. Pure. */
#ifndef NR_CTL_JOINTS_H
#define NR_CTL_JOINTS_H

#include "ctl/host-links.h"

typedef struct {
    char *place[2]; /* what it joins: "network lab", "bridge br0" */
    char *name;     /* "TAP nrtap0", "tunnel to 127.0.0.1:12345" */
    char *fault;    /* why no frame passes, or NULL */
    char *cure;     /* of that; "" where nobody knows one */
} NrJoint;

/* links: NULL where they were not looked at; then the rows are believed. */
GPtrArray *nr_joints_new(GVariant *rows, const GPtrArray *links);
/* Those in between these two places, in order: through whole ones if that is possible. NULL: there
 * is no way. Borrowed joints; free the array. */
GPtrArray *nr_joints_between(const GPtrArray *joints, const char *from, const char *to);
/* Where one leads that comes from this place. */
const char *nr_joint_far_place(const NrJoint *joint, const char *place);

#endif
