/* The swapchain, and the two frames that may be on their way. */
#include "swapchain.h"

#include <string.h>

/* ---- what does not depend on the size ---------------------------------------------------------------------------- */

/* Nuklear's colours are blended as they are stored, as browsers do: no sRGB format, where there is another. */
static bool choose_format(window_swapchain *chain)
{
    VkSurfaceFormatKHR formats[128];
    uint32_t count = 128;
    window_device *device = chain->device;
    if (vkGetPhysicalDeviceSurfaceFormatsKHR(device->physical_device, device->surface, &count, formats) < 0 || !count)
        return window_check(device, VK_ERROR_FORMAT_NOT_SUPPORTED, "vkGetPhysicalDeviceSurfaceFormatsKHR");
    chain->format = formats[0];
    for (uint32_t i = count; i-- > 0;)
        if (formats[i].format == VK_FORMAT_B8G8R8A8_UNORM || formats[i].format == VK_FORMAT_R8G8B8A8_UNORM)
            chain->format = formats[i];
    if (chain->format.format == VK_FORMAT_UNDEFINED) /* whichever one likes */
        chain->format.format = VK_FORMAT_B8G8R8A8_UNORM;
    return true;
}

static bool create_render_pass(window_swapchain *chain)
{
    const VkAttachmentDescription attachment = {.format = chain->format.format,
                                                .samples = VK_SAMPLE_COUNT_1_BIT,
                                                .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                                .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                                .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                                                .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
                                                .finalLayout = VK_IMAGE_LAYOUT_PRESENT_SRC_KHR};
    const VkAttachmentReference colour = {0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
    const VkSubpassDescription subpass = {
        .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS, .colorAttachmentCount = 1, .pColorAttachments = &colour};
    /* Before: the semaphore of the acquired image is waited for at this stage. After: a screenshot may copy. */
    const VkSubpassDependency dependencies[] = {
        {VK_SUBPASS_EXTERNAL, 0, VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
         VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT, 0, VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, 0},
        {0, VK_SUBPASS_EXTERNAL, VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
         VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, VK_ACCESS_TRANSFER_READ_BIT, 0}};
    const VkRenderPassCreateInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
                                         .attachmentCount = 1,
                                         .pAttachments = &attachment,
                                         .subpassCount = 1,
                                         .pSubpasses = &subpass,
                                         .dependencyCount = 2,
                                         .pDependencies = dependencies};
    return window_check(chain->device, vkCreateRenderPass(chain->device->device, &info, NULL, &chain->render_pass),
                        "vkCreateRenderPass");
}

static bool create_semaphore(window_device *device, VkSemaphore *out)
{
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    return window_check(device, vkCreateSemaphore(device->device, &info, NULL, out), "vkCreateSemaphore");
}

static bool create_frames(window_swapchain *chain)
{
    window_device *device = chain->device;
    const VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL,
                                          VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, device->graphics_family};
    const VkFenceCreateInfo fence = {VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, NULL, VK_FENCE_CREATE_SIGNALED_BIT};
    if (!window_check(device, vkCreateCommandPool(device->device, &pool, NULL, &chain->pool), "vkCreateCommandPool"))
        return false;
    for (uint32_t i = 0; i < WINDOW_FRAMES; i++) {
        window_frame *frame = &chain->frames[i];
        const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, chain->pool,
                                                      VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
        if (!window_check(device, vkAllocateCommandBuffers(device->device, &allocate, &frame->commands),
                          "vkAllocateCommandBuffers") ||
            !window_check(device, vkCreateFence(device->device, &fence, NULL, &frame->done), "vkCreateFence") ||
            !create_semaphore(device, &frame->acquired))
            return false;
    }
    return true;
}

/* ---- what does --------------------------------------------------------------------------------------------------- */

/* FIFO is always there, and waits for the display. */
static VkPresentModeKHR choose_mode(const window_swapchain *chain)
{
    VkPresentModeKHR modes[16], chosen = VK_PRESENT_MODE_FIFO_KHR;
    uint32_t count = 16;
    if (chain->vsync || vkGetPhysicalDeviceSurfacePresentModesKHR(chain->device->physical_device,
                                                                  chain->device->surface, &count, modes) < 0)
        return chosen;
    for (uint32_t i = 0; i < count; i++)
        if (modes[i] == VK_PRESENT_MODE_IMMEDIATE_KHR ||
            (modes[i] == VK_PRESENT_MODE_MAILBOX_KHR && chosen == VK_PRESENT_MODE_FIFO_KHR))
            chosen = modes[i];
    return chosen;
}

static uint32_t between(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

static bool create_image(window_swapchain *chain, window_image *image)
{
    window_device *device = chain->device;
    const VkImageViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                        .image = image->image,
                                        .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                        .format = chain->format.format,
                                        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
    if (!window_check(device, vkCreateImageView(device->device, &view, NULL, &image->view), "vkCreateImageView"))
        return false;
    const VkFramebufferCreateInfo framebuffer = {.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                                 .renderPass = chain->render_pass,
                                                 .attachmentCount = 1,
                                                 .pAttachments = &image->view,
                                                 .width = chain->size.width,
                                                 .height = chain->size.height,
                                                 .layers = 1};
    return window_check(device, vkCreateFramebuffer(device->device, &framebuffer, NULL, &image->framebuffer),
                        "vkCreateFramebuffer") &&
           create_semaphore(device, &image->drawn);
}

static void destroy_images(window_swapchain *chain)
{
    for (uint32_t i = 0; i < chain->image_count; i++) {
        vkDestroySemaphore(chain->device->device, chain->images[i].drawn, NULL);
        vkDestroyFramebuffer(chain->device->device, chain->images[i].framebuffer, NULL);
        vkDestroyImageView(chain->device->device, chain->images[i].view, NULL);
    }
    memset(chain->images, 0, sizeof chain->images);
    chain->image_count = 0;
}

static bool create_images(window_swapchain *chain)
{
    VkImage images[WINDOW_MAX_IMAGES];
    uint32_t count = WINDOW_MAX_IMAGES;
    if (!window_check(chain->device, vkGetSwapchainImagesKHR(chain->device->device, chain->swapchain, &count, images),
                      "vkGetSwapchainImagesKHR"))
        return false;
    chain->image_count = count;
    for (uint32_t i = 0; i < count; i++) {
        chain->images[i].image = images[i];
        if (!create_image(chain, &chain->images[i]))
            return false;
    }
    return true;
}

/* Opaque where it can be, else whatever there is: every pixel is painted opaque. */
static VkCompositeAlphaFlagBitsKHR choose_alpha(VkCompositeAlphaFlagsKHR supported)
{
    VkCompositeAlphaFlagsKHR bit = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR; /* the lowest */
    while (!(supported & bit) && bit < VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR)
        bit <<= 1;
    return (VkCompositeAlphaFlagBitsKHR)bit;
}

/* The images in the framebuffer's size, or in what the surface says. None, and no error, where it has no area. */
static bool create_swapchain(window_swapchain *chain, uint32_t width, uint32_t height)
{
    window_device *device = chain->device;
    VkSurfaceCapabilitiesKHR can;
    if (!window_check(device, vkGetPhysicalDeviceSurfaceCapabilitiesKHR(device->physical_device, device->surface, &can),
                      "vkGetPhysicalDeviceSurfaceCapabilitiesKHR"))
        return false;
    chain->size = can.currentExtent;
    if (can.currentExtent.width == UINT32_MAX)
        chain->size = (VkExtent2D){between(width, can.minImageExtent.width, can.maxImageExtent.width),
                                   between(height, can.minImageExtent.height, can.maxImageExtent.height)};
    if (chain->size.width == 0 || chain->size.height == 0)
        return true;
    chain->readable = can.supportedUsageFlags & VK_IMAGE_USAGE_TRANSFER_SRC_BIT;
    const VkSwapchainCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
        .surface = device->surface,
        .minImageCount = can.maxImageCount > 0 && can.minImageCount + 1 > can.maxImageCount ? can.maxImageCount
                                                                                            : can.minImageCount + 1,
        .imageFormat = chain->format.format,
        .imageColorSpace = chain->format.colorSpace,
        .imageExtent = chain->size,
        .imageArrayLayers = 1,
        .imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | (chain->readable ? VK_IMAGE_USAGE_TRANSFER_SRC_BIT : 0),
        .preTransform = can.currentTransform,
        .compositeAlpha = choose_alpha(can.supportedCompositeAlpha),
        .presentMode = choose_mode(chain),
        .clipped = VK_TRUE};
    return window_check(device, vkCreateSwapchainKHR(device->device, &info, NULL, &chain->swapchain),
                        "vkCreateSwapchainKHR") &&
           create_images(chain);
}

bool window_swapchain_create(window_swapchain *chain, window_device *device, bool vsync)
{
    *chain = (window_swapchain){.device = device, .vsync = vsync};
    return choose_format(chain) && create_render_pass(chain) && create_frames(chain);
}

/* Waiting for the queue ends the presentations too, as far as Vulkan tells. */
static void drop_swapchain(window_swapchain *chain)
{
    window_lock_queue(chain->device);
    vkQueueWaitIdle(chain->device->graphics);
    window_unlock_queue(chain->device);
    destroy_images(chain);
    vkDestroySwapchainKHR(chain->device->device, chain->swapchain, NULL);
    chain->swapchain = VK_NULL_HANDLE;
}

void window_swapchain_outdate(window_swapchain *chain)
{
    if (chain->swapchain)
        drop_swapchain(chain);
}

void window_swapchain_destroy(window_swapchain *chain)
{
    if (!chain->device || !chain->device->device)
        return;
    const VkDevice device = chain->device->device;
    window_swapchain_outdate(chain);
    for (uint32_t i = 0; i < WINDOW_FRAMES; i++) {
        vkDestroySemaphore(device, chain->frames[i].acquired, NULL);
        vkDestroyFence(device, chain->frames[i].done, NULL);
    }
    vkDestroyCommandPool(device, chain->pool, NULL);
    vkDestroyRenderPass(device, chain->render_pass, NULL);
}

/* ---- a frame ----------------------------------------------------------------------------------------------------- */

uint32_t window_frame_slot(const window_swapchain *chain)
{
    return (uint32_t)(chain->frame % WINDOW_FRAMES);
}

window_begun window_frame_begin(window_swapchain *chain, uint32_t width, uint32_t height, VkCommandBuffer *commands)
{
    window_device *device = chain->device;
    const window_frame *frame = &chain->frames[window_frame_slot(chain)];
    if (chain->swapchain && (chain->size.width != width || chain->size.height != height))
        window_swapchain_outdate(chain);
    if (!chain->swapchain && !create_swapchain(chain, width, height))
        return WINDOW_FAILED;
    if (!chain->swapchain)
        return WINDOW_NOT_NOW;
    if (!window_check(device, vkWaitForFences(device->device, 1, &frame->done, VK_TRUE, UINT64_MAX), "vkWaitForFences"))
        return WINDOW_FAILED;
    const VkResult result = vkAcquireNextImageKHR(device->device, chain->swapchain, UINT64_MAX, frame->acquired,
                                                  VK_NULL_HANDLE, &chain->image);
    if (result == VK_ERROR_OUT_OF_DATE_KHR) {
        window_swapchain_outdate(chain);
        return WINDOW_NOT_NOW;
    }
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    if ((result != VK_SUBOPTIMAL_KHR && !window_check(device, result, "vkAcquireNextImageKHR")) ||
        !window_check(device, vkBeginCommandBuffer(frame->commands, &begin), "vkBeginCommandBuffer"))
        return WINDOW_FAILED;
    *commands = frame->commands;
    return WINDOW_DRAWS;
}

void window_frame_begin_pass(window_swapchain *chain, const float clear[4])
{
    const VkCommandBuffer commands = chain->frames[window_frame_slot(chain)].commands;
    VkClearValue value;
    memcpy(value.color.float32, clear, sizeof value.color.float32);
    const VkRenderPassBeginInfo info = {.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                        .renderPass = chain->render_pass,
                                        .framebuffer = chain->images[chain->image].framebuffer,
                                        .renderArea = {{0, 0}, chain->size},
                                        .clearValueCount = 1,
                                        .pClearValues = &value};
    vkCmdBeginRenderPass(commands, &info, VK_SUBPASS_CONTENTS_INLINE);
}

static bool present(window_swapchain *chain)
{
    const VkPresentInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                   .waitSemaphoreCount = 1,
                                   .pWaitSemaphores = &chain->images[chain->image].drawn,
                                   .swapchainCount = 1,
                                   .pSwapchains = &chain->swapchain,
                                   .pImageIndices = &chain->image};
    window_lock_queue(chain->device);
    const VkResult result = vkQueuePresentKHR(chain->device->graphics, &info);
    window_unlock_queue(chain->device);
    if (result == VK_ERROR_OUT_OF_DATE_KHR || result == VK_SUBOPTIMAL_KHR) {
        window_swapchain_outdate(chain);
        return true;
    }
    return window_check(chain->device, result, "vkQueuePresentKHR");
}

bool window_frame_end(window_swapchain *chain, const VkSemaphore *waits, uint32_t wait_count)
{
    enum { MAX_WAITS = 8 };
    window_device *device = chain->device;
    const window_frame *frame = &chain->frames[window_frame_slot(chain)];
    VkSemaphore semaphores[MAX_WAITS] = {frame->acquired};
    VkPipelineStageFlags stages[MAX_WAITS] = {VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT};
    for (uint32_t i = 0; i < wait_count && i + 1 < MAX_WAITS; i++) {
        semaphores[i + 1] = waits[i];
        stages[i + 1] = VK_PIPELINE_STAGE_VERTEX_SHADER_BIT | VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT;
    }
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                 .waitSemaphoreCount = wait_count + 1,
                                 .pWaitSemaphores = semaphores,
                                 .pWaitDstStageMask = stages,
                                 .commandBufferCount = 1,
                                 .pCommandBuffers = &frame->commands,
                                 .signalSemaphoreCount = 1,
                                 .pSignalSemaphores = &chain->images[chain->image].drawn};
    if (!window_check(device, vkEndCommandBuffer(frame->commands), "vkEndCommandBuffer") ||
        !window_check(device, vkResetFences(device->device, 1, &frame->done), "vkResetFences") ||
        !window_submit(device, device->graphics, &submit, frame->done) || !present(chain))
        return false;
    chain->frame++;
    return true;
}

bool window_frame_is_done(const window_swapchain *chain, uint64_t frame)
{
    /* An earlier frame of the same slot has been waited for when the next one began. */
    return frame + WINDOW_FRAMES < chain->frame ||
           vkGetFenceStatus(chain->device->device, chain->frames[frame % WINDOW_FRAMES].done) == VK_SUCCESS;
}

bool window_swapchain_wait(window_swapchain *chain)
{
    window_lock_queue(chain->device);
    const VkResult result = vkQueueWaitIdle(chain->device->graphics);
    window_unlock_queue(chain->device);
    return window_check(chain->device, result, "vkQueueWaitIdle");
}
