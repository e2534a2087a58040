/* Windows in the terms of POSIX, as far as this sample opens files. Include last. */
#ifndef VISION_SYSTEM_H
#define VISION_SYSTEM_H

#ifdef _WIN32
#define O_NONBLOCK 0 /* no name leads to a pipe whose other end could be waited for */
#define O_NOCTTY 0
#define O_CLOEXEC (O_NOINHERIT | O_BINARY) /* and bytes as they are */
#endif

#endif
