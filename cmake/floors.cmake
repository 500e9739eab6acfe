# SPDX-License-Identifier: MIT
# The floors of agent/: each folder is a static library that sees its own
# folder and those below, so an upward call does not even link.
function(longstop_floor name)
    file(GLOB sources CONFIGURE_DEPENDS
        ${CMAKE_SOURCE_DIR}/agent/${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/app/main\\.c$")
    if(NOT sources)
        add_library(longstop_${name} INTERFACE)
        target_link_libraries(longstop_${name} INTERFACE ${ARGN})
        return()
    endif()
    add_library(longstop_${name} STATIC ${sources})
    target_include_directories(longstop_${name} PUBLIC
        ${CMAKE_SOURCE_DIR}/agent)
    target_link_libraries(longstop_${name} PRIVATE longstop_flags)
    target_link_libraries(longstop_${name} PUBLIC ${ARGN})
    if(LONGSTOP_CRASH_TESTS AND name MATCHES "^(io|store)$")
        target_compile_definitions(longstop_${name} PUBLIC
            LONGSTOP_CRASH_TESTS=1)
    endif()
endfunction()

longstop_floor(base m)
longstop_floor(wire longstop_base longstop_llhttp
    PkgConfig::cjson PkgConfig::crypto PkgConfig::zlib
    PkgConfig::expat)
longstop_floor(config longstop_base PkgConfig::yaml)
longstop_floor(model longstop_wire longstop_config)
longstop_floor(io longstop_model longstop_ev
    PkgConfig::curl PkgConfig::ssl Threads::Threads ${CMAKE_DL_LIBS})
longstop_floor(store longstop_model longstop_io PkgConfig::sqlite
    Threads::Threads)
longstop_embed_migrations(longstop_store ${CMAKE_SOURCE_DIR}/schema/sqlite
    store_migrate_sqlite)
longstop_embed_migrations(longstop_store ${CMAKE_SOURCE_DIR}/schema/postgresql
    store_migrate_postgresql)
longstop_floor(source longstop_model longstop_io)
longstop_floor(handler longstop_model longstop_io)
longstop_floor(flow longstop_store longstop_source longstop_handler)
longstop_floor(app longstop_flow)
longstop_embed_dashboard(longstop_app ${CMAKE_SOURCE_DIR}/agent/dashboard)

# Where the installed program finds its connectors; a development build also
# looks in its own source tree.
include(GNUInstallDirs)
target_compile_definitions(longstop_app PRIVATE
    LONGSTOP_VERSION="${PROJECT_VERSION}"
    LONGSTOP_DATA_DIRECTORY="${CMAKE_INSTALL_FULL_DATADIR}/longstop")
target_compile_definitions(longstop_io PRIVATE
    LONGSTOP_PLUGIN_DIRECTORY="${CMAKE_INSTALL_FULL_LIBDIR}/longstop")
option(LONGSTOP_DEVELOPMENT "Find connectors in the source tree, and plugins in the build tree, too" ON)
if(LONGSTOP_DEVELOPMENT)
    target_compile_definitions(longstop_io PRIVATE
        LONGSTOP_BUILD_PLUGINS="${CMAKE_BINARY_DIR}/plugins")
    target_compile_definitions(longstop_app PRIVATE
        LONGSTOP_SOURCE_CONNECTORS="${CMAKE_SOURCE_DIR}/connectors")
endif()


add_executable(longstop agent/app/main.c)
target_link_libraries(longstop PRIVATE longstop_flags longstop_app)
include(${CMAKE_SOURCE_DIR}/cmake/plugins.cmake)
