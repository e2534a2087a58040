/* Screenshots, as PPM: the one format of pictures that needs no library to write. */
#include "screenshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "program/output.h"

static bool fail(window_device *device, const char *text)
{
    snprintf(device->error, sizeof device->error, "%s", text);
    return false;
}

static void record_barrier(VkCommandBuffer commands, VkImage image, VkImageLayout from, VkImageLayout to)
{
    /* The render pass has made its colours available to transfers. */
    const VkImageMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                          .srcAccessMask = 0,
                                          .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                                          .oldLayout = from,
                                          .newLayout = to,
                                          .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                          .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                          .image = image,
                                          .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0, NULL,
                         1, &barrier);
}

bool screenshot_record(screenshot *shot, window_swapchain *chain, VkCommandBuffer commands)
{
    window_device *device = chain->device;
    const VkImage image = chain->images[chain->image].image;
    const VkDeviceSize size = (VkDeviceSize)4 * chain->size.width * chain->size.height;
    if (!chain->readable ||
        (chain->format.format != VK_FORMAT_B8G8R8A8_UNORM && chain->format.format != VK_FORMAT_R8G8B8A8_UNORM))
        return fail(device, "screenshot: the window's images cannot be copied");
    if (!compute_create_buffer(&device->compute, size, COMPUTE_HOST, "screenshot", &shot->pixels))
        return fail(device, device->compute.error);
    const VkBufferImageCopy all = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                   .imageExtent = {chain->size.width, chain->size.height, 1}};
    const VkMemoryBarrier copied = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_TRANSFER_WRITE_BIT,
                                    VK_ACCESS_HOST_READ_BIT};
    record_barrier(commands, image, VK_IMAGE_LAYOUT_PRESENT_SRC_KHR, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    vkCmdCopyImageToBuffer(commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, shot->pixels.buffer, 1, &all);
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &copied, 0, NULL,
                         0, NULL);
    record_barrier(commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
    return true;
}

static void write_pixels(FILE *stream, const unsigned char *pixels, uint32_t count, bool blue_first)
{
    for (uint32_t i = 0; i < count; i++, pixels += 4) {
        const unsigned char rgb[] = {pixels[blue_first ? 2 : 0], pixels[1], pixels[blue_first ? 0 : 2]};
        fwrite(rgb, 1, sizeof rgb, stream);
    }
}

bool screenshot_write(screenshot *shot, window_swapchain *chain)
{
    program_output output;
    const uint32_t width = chain->size.width, height = chain->size.height;
    if (!window_swapchain_wait(chain))
        return false;
    if (!program_output_open(&output, shot->path))
        return fail(chain->device, output.reason);
    fprintf(output.stream, "P6\n%u %u\n255\n", width, height);
    write_pixels(output.stream, shot->pixels.mapped, width * height, chain->format.format == VK_FORMAT_B8G8R8A8_UNORM);
    const bool written = program_output_close(&output, true);
    screenshot_release(shot, chain->device);
    return written || fail(chain->device, output.reason);
}

void screenshot_release(screenshot *shot, window_device *device)
{
    compute_destroy_buffer(&device->compute, &shot->pixels);
    shot->path = NULL;
}
