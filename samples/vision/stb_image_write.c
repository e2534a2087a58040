/* The library in one header, in a file of its own: SConstruct says what is particular about it. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
