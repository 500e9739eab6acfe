# SPDX-License-Identifier: MIT
# Turns the numbered migrations of a folder into C: run by CMake itself as a
# script (-P) at build time, so that nothing else has to be installed.
#
#     longstop_embed_migrations(TARGET FOLDER SYMBOL)
if(NOT CMAKE_SCRIPT_MODE_FILE)
    function(longstop_embed_migrations target folder symbol)
        file(GLOB files CONFIGURE_DEPENDS ${folder}/[0-9][0-9][0-9][0-9].sql)
        set(output ${CMAKE_BINARY_DIR}/generated/${symbol}.c)
        set(script ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)
        # A file that is gone makes nothing newer: the list of names does. It is
        # written only when it changes.
        set(list ${CMAKE_BINARY_DIR}/generated/${symbol}.list)
        file(CONFIGURE OUTPUT ${list} CONTENT "${files}\n")
        add_custom_command(OUTPUT ${output}
            COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DSYMBOL=${symbol}
                -DOUTPUT=${output} -P ${script}
            DEPENDS ${files} ${script} ${list}
            COMMENT "Embedding ${folder}"
            VERBATIM)
        target_sources(${target} PRIVATE ${output})
    endfunction()
    return()
endif()

file(GLOB files ${FOLDER}/[0-9][0-9][0-9][0-9].sql)
list(SORT files)
set(arrays "")
set(rows "")
set(count 0)
foreach(file IN LISTS files)
    get_filename_component(version ${file} NAME_WE)
    math(EXPR count "${count} + 1")
    string(REGEX REPLACE "^0+" "" number ${version})
    if(NOT number EQUAL count)
        message(FATAL_ERROR "${file}: expected number ${count}")
    endif()
    # Bytes, not a literal: ISO C promises only 4095 characters of one.
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE
        "(....,....,....,....,....,....,....,....,....,....,....,....,)"
        "\\1\n    " bytes "${bytes}")
    string(APPEND arrays
        "static const char sql_${version}[] = {\n    ${bytes}0\n};\n")
    string(APPEND rows "    { ${number}, sql_${version} },\n")
endforeach()
file(WRITE ${OUTPUT}
    "/* Made by cmake/embed.cmake from ${FOLDER}; not to be edited. */\n"
    "#include \"store/store_migrate.h\"\n\n${arrays}\n"
    "const struct store_migration ${SYMBOL}[] = {\n${rows}};\n"
    "const size_t ${SYMBOL}_count = ${count};\n")
