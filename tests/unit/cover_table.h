/* The case table, its cover on lavapipe's devices, and what rows show of both, found without the cover's own lists. */
#ifndef TEST_COVER_TABLE_H
#define TEST_COVER_TABLE_H

#include "check/case_cover.h"

/* A wish for all that the whole table shows on lavapipe with 4, 8 and 16 lanes. */
cover_wish cover_table_wish(void);

/* lavapipe with 8 lanes; `driver_id` as the driver says, else 0. */
smoe_device_info cover_lavapipe(bool driver_id);

case_cover cover_create(cover_wish wish); /* fails the test where that fails */

/* The kernel's index in the cover's kernels; kernel_count if it is not there. */
uint32_t cover_find_kernel(const case_cover *cover, const char *name, uint32_t rows);

/* The first with that name, whatever the rows of its tiles. */
uint32_t cover_find_name(const case_cover *cover, const char *name);

typedef struct cover_seen {
    bool property[CASE_PROPERTIES_MOST][COVER_KERNELS_MOST]; /* with a kernel */
    bool device[CASE_DEVICES_MOST][COVER_KERNELS_MOST];
    bool property_device[CASE_PROPERTIES_MOST][CASE_DEVICES_MOST];
} cover_seen;

/* What the chosen rows show, or what all rows show. Free with test_free. */
cover_seen *cover_see(const case_cover *cover, bool chosen);

#endif
