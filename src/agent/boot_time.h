/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's boot time, the same for a whole boot: the kernel's figure follows clock steps, and
 * a verifier compares it between attestations (push-agent §9.2, decision D97).
 */
#pragma once

/*
 * "YYYY-MM-DDTHH:MM:SSZ", newly allocated: the value first seen in this boot, kept with the boot id
 * in
 * `<keylime_dir>/boot_time`. A value that cannot be kept is used for this process, with a WARNING.
 */
char *boot_time_determine(const char *keylime_dir);
