/* Which rows of the case table a test runs on which devices, so that these show what the whole table shows on all of
 * them. What a row shows are pairs: a property of a case with a kernel that reads it, and so on. Nothing is run here,
 * and the same wish always gets the same rows. */
#ifndef CASE_COVER_H
#define CASE_COVER_H

#include "case_pipelines.h"

#define COVER_KERNELS_MOST 192

/* What must be seen. */
enum {
    COVER_PROPERTIES = 1,       /* each property */
    COVER_PROPERTY_KERNELS = 2, /* each property with every kernel that reads it. A property by_rows: with each of the
                                   kernel's tiles, except where the kernel is there `again` */
    COVER_PROPERTY_DEVICES = 4, /* each on every device, where lanes can make a difference to it */
    /* each kernel with subgroups on every device. A known one, or one that is there `again`: with any tile */
    COVER_KERNEL_DEVICES = 8,
    COVER_ALL = 15
};

typedef struct cover_wish {
    const layer_case *cases;
    uint32_t case_count;
    const smoe_device_info *devices;
    uint32_t device_count;
    uint32_t kinds;                /* COVER_* */
    bool together;                 /* rows that differ in values only run together: their pipelines are there */
    /* NULL, or a device where another test shows each property with each kernel, and each kernel's tiles */
    const smoe_device_info *known;
    const struct case_cover *made; /* NULL, or another test's, whose pipelines the driver keeps */
} cover_wish;

/* All that the case table shows on this device, itself at *at of the devices, and on those that share the table with
 * it: what test_stages runs. */
cover_wish cover_wish_of_table(const smoe_device_info *info, smoe_device_info devices[CASE_DEVICES_MOST], uint32_t *at);

/* Rows that run together on one of the devices. */
typedef struct cover_set {
    uint32_t device, row;                                /* the first */
    uint32_t kernels[CASE_KERNELS_MOST], kernel_count;
    uint32_t pipelines[CASE_KERNELS_MOST], pipeline_count;
    uint32_t *pairs, pair_count;                         /* what they show */
    bool chosen, taken_out;                              /* taken_out: by the exchange that is being tried */
} cover_set;

typedef struct case_cover {
    cover_wish wish;
    /* the known device's come first; the config is that of the first case that has it */
    case_kernel kernels[COVER_KERNELS_MOST];
    uint32_t kernel_count, known_count;
    cover_set *sets;
    uint32_t set_count;
    uint32_t *set_of; /* [device_count,case_count] */
    case_pipelines pipelines;
    uint32_t *times;  /* [pair_count]: how many of the chosen sets show it */
    bool *known;      /* [pair_count]: the known device shows it */
    uint32_t pair_count;
} case_cover;

/* False after printing why. What the wish points to must live as long as the cover, which is to be destroyed in any
 * case. */
bool case_cover_create(case_cover *cover, const cover_wish *wish);
void case_cover_destroy(case_cover *cover);

/* Chooses sets that show all pairs, at little cost; part of case_cover_create. */
void case_cover_choose(case_cover *cover);

/* Whether the row is chosen for the device. */
bool case_cover_has(const case_cover *cover, uint32_t device, uint32_t row);

/* Whether the set shows something that no chosen set shows. */
bool case_cover_gains(const case_cover *cover, const cover_set *set);
/* Whether the set shows something that no other chosen set shows. */
bool case_cover_needs(const case_cover *cover, const cover_set *set);

/* The number of a property with a kernel, for `times`. */
uint32_t case_cover_pair(uint32_t property, uint32_t kernel);

#endif
