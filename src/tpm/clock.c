/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/quote.h"

ClockResult clock_compare(const TpmClock *previous, const TpmClock *current)
{
    if (current->reset_count < previous->reset_count)
        return CLOCK_RESET_WENT_BACK;
    if (current->reset_count > previous->reset_count) {
        /* A reset puts restartCount to 0, so it is not compared across boots; after an unorderly
         * power loss the clock may have fallen back to what the TPM had saved last. */
        if (!current->safe)
            return CLOCK_UNSAFE_NEW_BOOT;
        return current->clock > previous->clock ? CLOCK_NEW_BOOT : CLOCK_WENT_BACK;
    }
    if (current->restart_count < previous->restart_count)
        return CLOCK_RESTART_WENT_BACK;
    if (current->clock <= previous->clock)
        return CLOCK_WENT_BACK;
    return current->safe ? CLOCK_CONTINUES : CLOCK_UNSAFE;
}

bool clock_is_acceptable(ClockResult result)
{
    return result == CLOCK_CONTINUES || result == CLOCK_NEW_BOOT || result == CLOCK_UNSAFE ||
           result == CLOCK_UNSAFE_NEW_BOOT;
}

const char *clock_result_text(ClockResult result)
{
    switch (result) {
    case CLOCK_CONTINUES:
        return "the TPM's clock moved on";
    case CLOCK_NEW_BOOT:
        return "the machine was started anew";
    case CLOCK_UNSAFE:
        return "the TPM's clock is not safe after an unorderly loss of power";
    case CLOCK_UNSAFE_NEW_BOOT:
        return "the machine was started anew after an unorderly loss of power, and the TPM's clock "
               "is "
               "not safe";
    case CLOCK_WENT_BACK:
        return "the TPM's clock did not move on since the last quote";
    case CLOCK_RESET_WENT_BACK:
        return "the TPM's resetCount is lower than in the last quote";
    case CLOCK_RESTART_WENT_BACK:
        return "the TPM's restartCount is lower than in the last quote of the same boot";
    }
    return "the TPM's clock was not compared";
}
