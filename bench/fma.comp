// The most float32 multiply-adds a device does.
#version 450
#extension GL_GOOGLE_include_directive : require
#define FLOAT float
#define VECTOR vec4
#include "fma.glsl"
