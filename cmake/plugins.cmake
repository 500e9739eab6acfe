# SPDX-License-Identifier: MIT
# The plugins of brokers and databases, where their libraries are there. They are
# loaded by name, so the program links none of them, and they none of it.
set(LONGSTOP_PLUGINS "auto" CACHE STRING
    "auto: those whose library is there; OFF: none; or a list that must be built")

# What they do alike, built into each of them; as a library for its tests.
set(longstop_plugin_kit
    ${CMAKE_SOURCE_DIR}/agent/plugin/kit.c
    ${CMAKE_SOURCE_DIR}/agent/plugin/kit_url.c)
add_library(longstop_plugin STATIC EXCLUDE_FROM_ALL ${longstop_plugin_kit})
target_include_directories(longstop_plugin PUBLIC ${CMAKE_SOURCE_DIR}/agent)
target_link_libraries(longstop_plugin PRIVATE longstop_flags)

# One object NAME.so of the kind whose library it needs, and of the sources that
# are given beside NAME's own.
function(longstop_plugin kind name)
    if(LONGSTOP_PLUGINS STREQUAL "auto")
        if(NOT plugin_${kind}_FOUND)
            message(STATUS "plugin ${name}: not built, its library is not there")
            return()
        endif()
    elseif(NOT kind IN_LIST LONGSTOP_PLUGINS)
        return()
    elseif(NOT plugin_${kind}_FOUND)
        message(FATAL_ERROR "plugin ${kind} is asked for (LONGSTOP_PLUGINS), "
            "and its library is not there: see tests/run.sh for the package")
    endif()
    string(REPLACE "-" "_" module ${name})
    set(sources ${module}.c ${ARGN})
    list(TRANSFORM sources PREPEND ${CMAKE_SOURCE_DIR}/agent/plugin/)
    add_library(plugin_${module} MODULE ${sources} ${longstop_plugin_kit})
    target_include_directories(plugin_${module} PRIVATE
        ${CMAKE_SOURCE_DIR}/agent)
    target_link_libraries(plugin_${module} PRIVATE longstop_flags
        PkgConfig::plugin_${kind} Threads::Threads)
    set_target_properties(plugin_${module} PROPERTIES
        PREFIX "" OUTPUT_NAME ${name} SUFFIX ".so"
        C_VISIBILITY_PRESET hidden
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
    # Beside the program, so that whoever builds it can use them.
    add_dependencies(longstop plugin_${module})
    install(TARGETS plugin_${module}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/longstop)
endfunction()

foreach(kind IN ITEMS amqp kafka mqtt nats redis)
    longstop_plugin(${kind} ${kind})
endforeach()
longstop_plugin(postgresql postgresql pq.c)
# The store that several agents share.
longstop_plugin(postgresql postgresql-store
    pq.c pq_store_answer.c pq_store_batch.c pq_store_value.c)
