# SPDX-License-Identifier: MIT
# The libraries the program stands on, all from the distribution.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

foreach(pair IN ITEMS curl:libcurl sqlite:sqlite3 cjson:libcjson
        yaml:yaml-0.1 crypto:libcrypto ssl:libssl zlib:zlib
        expat:expat)
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 name)
    list(GET pair 1 module)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
endforeach()

# The brokers' libraries, each for its plugin alone; none is needed.
foreach(pair IN ITEMS amqp:librabbitmq kafka:rdkafka mqtt:libmosquitto
        nats:libnats postgresql:libpq redis:hiredis)
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 name)
    list(GET pair 1 module)
    pkg_check_modules(plugin_${name} IMPORTED_TARGET ${module})
endforeach()

# libev ships no pkg-config file.
find_path(EV_INCLUDE_DIR ev.h REQUIRED)
find_library(EV_LIBRARY ev REQUIRED)
add_library(longstop_ev INTERFACE)
target_include_directories(longstop_ev SYSTEM INTERFACE ${EV_INCLUDE_DIR})
target_link_libraries(longstop_ev INTERFACE ${EV_LIBRARY})

# llhttp: the library where there is one (Debian 13), else the C sources that
# Debian 12 keeps current in the package node-llhttp.
find_library(LLHTTP_LIBRARY llhttp)
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATH_SUFFIXES llhttp)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp)
add_library(longstop_llhttp INTERFACE)
if(LLHTTP_LIBRARY AND LLHTTP_INCLUDE_DIR)
    target_include_directories(longstop_llhttp SYSTEM INTERFACE
        ${LLHTTP_INCLUDE_DIR})
    target_link_libraries(longstop_llhttp INTERFACE ${LLHTTP_LIBRARY})
else()
    find_path(LLHTTP_SHARE_INCLUDE_DIR llhttp.h
        PATHS /usr/share/include/llhttp)
    if(NOT LLHTTP_SOURCE_DIR OR NOT LLHTTP_SHARE_INCLUDE_DIR)
        message(FATAL_ERROR "llhttp is missing: install libllhttp-dev, or "
            "node-llhttp on Debian 12 (packaging/quickstart.sh does)")
    endif()
    add_library(longstop_llhttp_sources STATIC
        ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c
        ${LLHTTP_SOURCE_DIR}/http.c)
    target_include_directories(longstop_llhttp_sources SYSTEM PUBLIC
        ${LLHTTP_SHARE_INCLUDE_DIR})
    target_link_libraries(longstop_llhttp INTERFACE longstop_llhttp_sources)
endif()
