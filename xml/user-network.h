/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <forward mode='user'/>: the addresses and port forwards of a network whose way out is
 * netrelay-user, and the options of the user: endpoint that they are. Pure.
 */
#ifndef NR_XML_USER_NETWORK_H
#define NR_XML_USER_NETWORK_H

#include "xml/network.h"

#define NR_USER_FORWARDS_MAX 32 /* ports: as many as netrelay-user takes */

/* What of the network netrelay-user cannot do, as a sentence (new string); or NULL. */
char *nr_user_network_fault(const NrNetwork *network);
/* "net=192.168.9.0/24,host=192.168.9.2,...": of one without a fault. New string. */
char *nr_user_network_options(const NrNetwork *network);

#endif
