/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending and receiving control messages, with at most one descriptor passed along. Never waits. */
#ifndef NR_COMMON_CTL_IO_H
#define NR_COMMON_CTL_IO_H

#include "common/ctl-proto.h"

/* pass_fd: -1 or a descriptor, which stays the caller's. 0 or negative errno (-EAGAIN: full). */
int ctl_io_send(int sock, const struct ctl_msg *msg, int pass_fd);
/*
 * One message, checked. *ret_fd is -1 or a close-on-exec descriptor that is the caller's from here,
 * also when the message is refused (then it is closed here and -1). 0; -EAGAIN: nothing there;
 * -EPIPE: the other end is gone; -EPROTO, -EPROTONOSUPPORT: malformed, the next one may be good.
 */
int ctl_io_recv(int sock, struct ctl_msg *msg, int *ret_fd);

#endif
