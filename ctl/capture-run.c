/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl capture: frames of a network or a guest, wherever its ports are, as pcapng. */
#include "ctl/capture-finder.h"

NrExit nr_capture_by_name_run(const NrCall *call)
{
    g_auto(NrCapture) capture = { 0 };
    NrCaptureFinder *finder;
    NrExit code;

    if (!nr_capture_init(&capture, call))
        return NR_EXIT_USAGE;
    finder = nr_capture_finder_new(call, call->operands[0], capture.bounds.snaplen, &code);
    if (!finder)
        return code;
    if (!nr_capture_open(&capture))
        return NR_EXIT_FAILED;
    nr_capture_finder_start(finder, &capture);
    if (capture.sources->len == 0)
        nr_complain("%s has no relay yet; its frames are captured as soon as there is one",
                    call->operands[0]);
    return nr_capture_run(&capture);
}
