# SPDX-License-Identifier: MIT
# Warnings, hardening, sanitizers and coverage for every target of the project.
include(CheckCCompilerFlag)

add_library(longstop_flags INTERFACE)

target_compile_definitions(longstop_flags INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(longstop_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    -Wpointer-arith -Wcast-align -Wcast-qual -Wwrite-strings -Wundef -Wvla
    -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference
    -Wdouble-promotion)
if(LONGSTOP_WERROR)
    target_compile_options(longstop_flags INTERFACE -Werror)
endif()

# A plugin is a shared object, and no program.
set(is_plugin "$<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>")
if(LONGSTOP_HARDEN AND NOT LONGSTOP_SANITIZE)
    target_compile_options(longstop_flags INTERFACE
        -fstack-protector-strong -fstack-clash-protection
        $<$<NOT:${is_plugin}>:-fPIE>)
    # Landing pads for jumps, where the processor knows them.
    foreach(flag IN ITEMS -fcf-protection=full -mbranch-protection=standard)
        string(MAKE_C_IDENTIFIER "takes${flag}" takes)
        # clang takes a flag of another processor with a warning.
        check_c_compiler_flag("-Werror ${flag}" ${takes})
        if(${takes})
            target_compile_options(longstop_flags INTERFACE ${flag})
        endif()
    endforeach()
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
        target_compile_options(longstop_flags INTERFACE
            -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    endif()
    target_link_options(longstop_flags INTERFACE
        $<$<NOT:${is_plugin}>:-pie> -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
endif()

if(LONGSTOP_SANITIZE)
    target_compile_options(longstop_flags INTERFACE
        -fsanitize=${LONGSTOP_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(longstop_flags INTERFACE
        -fsanitize=${LONGSTOP_SANITIZE})
endif()

if(LONGSTOP_COVERAGE)
    target_compile_definitions(longstop_flags INTERFACE LONGSTOP_COVERAGE=1)
    target_compile_options(longstop_flags INTERFACE --coverage)
    target_link_options(longstop_flags INTERFACE --coverage)
endif()
