/* The window's images, and a frame's way through them. Two frames may be on their way at once. */
#ifndef WINDOW_SWAPCHAIN_H
#define WINDOW_SWAPCHAIN_H

#include "device.h"

enum { WINDOW_FRAMES = 2, WINDOW_MAX_IMAGES = 16 };

typedef struct window_image {
    VkImage image;
    VkImageView view;
    VkFramebuffer framebuffer;
    VkSemaphore drawn; /* presenting waits for it: of the image, since nothing tells when presenting has ended */
} window_image;

typedef struct window_frame {
    VkCommandBuffer commands;
    VkFence done;
    VkSemaphore acquired;
} window_frame;

typedef struct window_swapchain {
    window_device *device;
    VkSurfaceFormatKHR format;
    VkRenderPass render_pass;
    VkCommandPool pool;
    window_frame frames[WINDOW_FRAMES];
    VkSwapchainKHR swapchain; /* VK_NULL_HANDLE: to be made again */
    VkExtent2D size;
    window_image images[WINDOW_MAX_IMAGES];
    uint32_t image_count;
    bool vsync, readable; /* readable: images can be copied from */
    uint64_t frame;       /* the number of the one being drawn */
    uint32_t image;       /* that it is drawn into */
} window_swapchain;

/* False, with the device's error; destroy all the same. */
bool window_swapchain_create(window_swapchain *chain, window_device *device, bool vsync);
void window_swapchain_destroy(window_swapchain *chain);

/* The images are made again before the next frame. */
void window_swapchain_outdate(window_swapchain *chain);

typedef enum window_begun { WINDOW_FAILED, WINDOW_NOT_NOW, WINDOW_DRAWS } window_begun;

/* Begins a frame of the framebuffer's size: waits until the one before the last has been drawn, and gives its slot's
 * command buffer, recording. WINDOW_NOT_NOW: the window has no area, or has just changed. */
window_begun window_frame_begin(window_swapchain *chain, uint32_t width, uint32_t height, VkCommandBuffer *commands);

/* The slot of the frame being drawn, 0 .. WINDOW_FRAMES - 1. */
uint32_t window_frame_slot(const window_swapchain *chain);

/* The render pass of the frame: everything that draws lies between. */
void window_frame_begin_pass(window_swapchain *chain, const float clear[4]);

/* Submits and presents. waits: semaphores of the results that it draws. */
bool window_frame_end(window_swapchain *chain, const VkSemaphore *waits, uint32_t wait_count);

/* Whether the frame with this number has been drawn to its end. */
bool window_frame_is_done(const window_swapchain *chain, uint64_t frame);

bool window_swapchain_wait(window_swapchain *chain); /* for all frames */

#endif
