/* What a frame shows, as a file: the swapchain's own image, copied on the device. */
#ifndef WINDOW_SCREENSHOT_H
#define WINDOW_SCREENSHOT_H

#include "swapchain.h"

typedef struct screenshot {
    const char *path; /* NULL: none is wanted */
    compute_buffer pixels;
} screenshot;

/* Behind the frame's render pass: copies the image. False with the device's error. */
bool screenshot_record(screenshot *shot, window_swapchain *chain, VkCommandBuffer commands);

/* Once the frame has been submitted: waits for it, and writes a PPM. False with the device's error. */
bool screenshot_write(screenshot *shot, window_swapchain *chain);

void screenshot_release(screenshot *shot, window_device *device);

#endif
