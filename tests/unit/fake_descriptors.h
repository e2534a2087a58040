/* The descriptors of the fake device: what is written into them is remembered. By one thread. */
#ifndef UNIT_FAKE_DESCRIPTORS_H
#define UNIT_FAKE_DESCRIPTORS_H

#include <smoe/smoe.h>

#define FAKE_MAX_DESCRIPTORS 4096u

typedef struct fake_descriptors {
    VkDescriptorBufferInfo buffers[FAKE_MAX_DESCRIPTORS];
    uint32_t count; /* more than FAKE_MAX_DESCRIPTORS: the rest was dropped */
} fake_descriptors;

extern fake_descriptors fake_written; /* since fake_descriptors_reset */

void fake_descriptors_reset(void);

PFN_vkVoidFunction fake_descriptor_function(const char *name); /* NULL: none of descriptors */

#endif
