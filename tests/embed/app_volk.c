/* The app's own volk; tests of programs that have one link the rest of the app without it. */
#define VOLK_IMPLEMENTATION
#include <volk.h>
