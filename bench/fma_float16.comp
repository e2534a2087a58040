// The most float16 multiply-adds a device does.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define FLOAT float16_t
#define VECTOR f16vec4
#include "fma.glsl"
