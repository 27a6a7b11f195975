/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that only starting needed: code and symbol tables of some fifty libraries stay mapped
 * after the loader walked through them. Given back once, the agent keeps what a cycle touches
 * (design §7).
 */
#pragma once

/* Unmaps the clean file pages of code and constants, which come back from the page cache when they
 * are used again, and returns free heap to the system. */
void resident_trim(void);
